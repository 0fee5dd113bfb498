"""The files of a pre-trained encoder: which of them are used, whether they may be, and what they say of themselves.

Nothing of a folder is run and nothing is loaded: weights are safetensors or ONNX, and looked at from outside.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fathometer.core.files import digest, read_json
from fathometer.core.strict_json import refuse_many
from fathometer.errors import UserError

TEXT, IMAGE = "text", "image"
FATHOMETER_FILE = "encoder.json"
NETWORK_FILE = (
    "network.json"  # of a member that is a network which reads words or pictures (learners/_raw.py)
)
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")
LARGEST_HEADER = 100_000_000  # bytes; the format's own limit
EXTERNAL = re.compile(rb"(?:\x08|\x88\x80{0,8}\x00)location")
"""In an ONNX file: the key under which it names another file that holds its numbers.

Its length, written in any number of bytes, stands before it; whether the file's name comes after or before is free.
"""
EXTERNAL_LONGEST = 18
WIDTHS = ("hidden_size", "d_model", "dim", "n_embd", "projection_dim")
LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "NOTICE", "NOTICE.txt")


@dataclass(frozen=True)
class Encoder:
    """A network that was trained before, on other data, and turns values of one kind into numbers.

    name: as the user gave it. kind: of the columns it reads. folder: where its files lie. form: "transformers", "onnx",
    or "fathometer" (trained by this product). digest: SHA-256 over its files. licence: as its files say, or "".
    size_bytes: of its files. learned_from: what it was trained on, in words, where that is known. width: numbers a
    value becomes; 0: not known before it is loaded.
    """

    name: str
    kind: str
    folder: str
    form: str
    digest: str
    licence: str = ""
    size_bytes: int = 0
    learned_from: str = ""
    width: int = 0


def encoder_at(folder: Path, name: str = "", form: str = "") -> Encoder:
    """The encoder whose files lie in this folder.

    Args:
        name: what the user called it; the folder's name unless given.
        form: "transformers", "onnx" or "fathometer"; found out unless given.

    Raises:
        UserError: it cannot be used; the sentence says why and what to do.
    """
    form = form or _form(folder)
    files = used_files(folder, form)
    config = _config(folder, form)
    return Encoder(
        name=name or folder.name,
        kind=_kind(folder, form, config),
        folder=str(folder),
        form=form,
        digest=digest_of_files(folder, files),
        licence=str(config.get("licence", "")) if form == "fathometer" else _licence(folder, config),
        size_bytes=sum((folder / file).stat().st_size for file in files),
        learned_from=str(config.get("learned_from", "")) if form == "fathometer" else _learned_from(folder),
        width=next((int(config[key]) for key in ("width", *WIDTHS) if isinstance(config.get(key), int)), 0),
    )


def used_files(folder: Path, form: str) -> list[str]:
    """Names of the files that the encoder consists of, sorted; all others in the folder are left alone.

    Raises:
        UserError: one is missing, is a link that leads elsewhere, or may not be used.
    """
    if form == "fathometer" and not (folder / FATHOMETER_FILE).exists():
        names = [NETWORK_FILE, "network.safetensors"]
    elif form == "fathometer":
        listed = read_object(folder / FATHOMETER_FILE).get("files", [])
        if not isinstance(listed, list) or not all(_is_plain_name(one) for one in listed):
            raise UserError(f"{folder / FATHOMETER_FILE} names no files. Make the encoder again.")
        names = [FATHOMETER_FILE, *listed]
    elif form == "onnx":
        optional = ("tokenizer.json", "config.json", "preprocessor_config.json", *_pooling(folder))
        names = [onnx_file(folder).name, *(one for one in optional if (folder / one).exists())]
    else:
        optional = (
            "preprocessor_config.json",
            "tokenizer.json",
            "sentence_bert_config.json",
            *_pooling(folder),
        )
        names = ["config.json", *_weights(folder), *(one for one in optional if (folder / one).exists())]
    for name in names:
        _check_file(folder, name)
    return sorted(set(names))


def licence_files(folder: Path) -> list[str]:
    """Names of the files that must go along with the encoder's when they are passed on."""
    home = folder.resolve()
    return [
        name
        for name in LICENCE_FILES
        if (folder / name).is_file() and (folder / name).resolve().is_relative_to(home)
    ]


def demand_no_others(folder: Path, form: str) -> None:
    """Refuse a folder of a model's encoder that holds more than the encoder, of which nobody looked at the rest.

    Libraries look for further files beside those they are asked for.

    Raises:
        UserError: it holds more.
    """
    known = {*used_files(folder, form), *licence_files(folder)}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if there - known:
        raise UserError(f"{min(there - known)} in {folder} is no part of the encoder. Make the model again.")


def digest_of_files(folder: Path, files: list[str]) -> str:
    """SHA-256 over the sorted names and digests of these files."""
    lines = "".join(f"{name}\x00{digest(folder / name)}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        UserError: it is missing, damaged, or holds something else.
    """
    try:
        value = read_json(path)
    except FileNotFoundError as error:
        raise UserError(f"{path.parent} is no encoder: there is no {path.name} in it.") from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(
            f"{path} cannot be read as JSON ({error}). Copy the encoder's folder again."
        ) from error
    if not isinstance(value, dict):
        raise UserError(
            f"{path} is not what it should be: expected an object. Copy the encoder's folder again."
        )
    return value


def onnx_file(folder: Path) -> Path:
    """The one ONNX model of a folder.

    Raises:
        UserError: there is none, or several and none is called model.onnx.
    """
    found = sorted(folder.glob("*.onnx"))
    named = [path for path in found if path.name == "model.onnx"] or found
    if len(named) != 1:
        raise UserError(
            f"Expected one ONNX model in {folder}, found {len(found)}. Call the one meant model.onnx."
        )
    return named[0]


def _form(folder: Path) -> str:
    if (folder / FATHOMETER_FILE).is_file() or (folder / NETWORK_FILE).is_file():
        return "fathometer"
    has_weights = any(folder.glob("*.safetensors")) or any(
        path.suffix in PICKLED for path in folder.glob("*")
    )
    if any(folder.glob("*.onnx")) and not has_weights:
        return "onnx"
    return "transformers"


def _config(folder: Path, form: str) -> dict[str, Any]:
    if form == "fathometer" and not (folder / FATHOMETER_FILE).exists():
        readers = read_object(folder / NETWORK_FILE).get("readers") or {}
        kind = IMAGE if readers.get("pictures") else TEXT if readers.get("words") else ""
        return {"kind": kind, "learned_from": "the rows and answers of an earlier run"}
    if form == "fathometer":
        return read_object(folder / FATHOMETER_FILE)
    if form == "onnx" and not (folder / "config.json").exists():
        return {}
    config = read_object(folder / "config.json")
    if "auto_map" in config or "custom_pipelines" in config:
        raise UserError(
            f"{folder} wants to run code of its own (auto_map in config.json), which is never done. "
            "Take an encoder of a standard architecture."
        )
    if config.get("quantization_config"):
        raise UserError(f"{folder} holds quantised weights. Take the encoder's full weights instead.")
    if form == "transformers" and not re.fullmatch(r"[A-Za-z0-9_-]+", str(config.get("model_type", ""))):
        raise UserError(f"{folder / 'config.json'} names no architecture (model_type). It cannot be loaded.")
    return config


def _kind(folder: Path, form: str, config: Mapping[str, Any]) -> str:
    if form == "fathometer":
        if config.get("kind") not in (TEXT, IMAGE):
            raise UserError(f"{folder / FATHOMETER_FILE} does not say what the encoder reads. Make it again.")
        return str(config["kind"])
    if (folder / "preprocessor_config.json").exists():
        read_object(folder / "preprocessor_config.json")
        return IMAGE
    if (folder / "tokenizer.json").exists():
        read_object(folder / "tokenizer.json")
        return TEXT
    if form == "onnx":
        return IMAGE
    missing = "preprocessor_config.json" if "image_size" in config else "tokenizer.json"
    raise UserError(
        f"{folder} is incomplete: there is no {missing} in it. Copy or download the whole encoder."
    )


def _weights(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").exists():
        return ["model.safetensors"]
    if index.exists():
        parts = read_object(index).get("weight_map", {})
        if not isinstance(parts, dict) or not all(_is_plain_name(one) for one in parts.values()):
            raise UserError(f"{index} is not what it should be. Copy the encoder's folder again.")
        return [index.name, *sorted(set(parts.values()))]
    pickled = [path.name for path in sorted(folder.glob("*")) if path.suffix in PICKLED]
    if pickled:
        raise UserError(
            f"{folder} holds its weights as {pickled[0]}, a file that can run code when it is opened. Convert it where "
            "you trust it: python -c \"from transformers import AutoModel; AutoModel.from_pretrained('FOLDER')"
            ".save_pretrained('FOLDER', safe_serialization=True)\"."
        )
    raise UserError(f"{folder} is no encoder: there is no model.safetensors in it.")


def _pooling(folder: Path) -> list[str]:
    """The files that say how words' numbers become a text's, in the form of sentence-transformers."""
    path = folder / "modules.json"
    if not path.exists():
        return []
    try:
        modules = read_json(path)
        places = [(str(one["type"]), str(one["path"])) for one in modules]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is not what it should be. Copy the encoder's folder again.") from error
    for kind, _ in places:
        if not kind.startswith("sentence_transformers."):
            raise UserError(
                f"{folder} wants to run code of its own ({kind} in modules.json), which is never done."
            )
    pooling = [place for kind, place in places if kind.endswith("Pooling")]
    # what is read from elsewhere would not be part of the digest, nor go along with a model
    if not all(_is_plain_name(place) for place in pooling):
        raise UserError(f"{path} names no folder in {folder}. Copy the encoder's folder again.")
    return ["modules.json", *(f"{place}/config.json" for place in pooling)]


def _check_file(folder: Path, name: str) -> None:
    path = folder / name
    if not path.is_file():
        raise UserError(
            f"{folder} is incomplete: there is no {name} in it. Copy or download the whole encoder."
        )
    # the hub's cache keeps its files beside the snapshot and links to them
    home = folder.parent.parent if folder.parent.name == "snapshots" else folder
    if not path.resolve().is_relative_to(home.resolve()):
        raise UserError(f"{name} in {folder} is a link that leads elsewhere. Put the file itself there.")
    if path.suffix == ".safetensors":
        _check_weights(path)
    if path.suffix == ".onnx" and _has(path, EXTERNAL, EXTERNAL_LONGEST):
        raise UserError(f"{path} keeps its numbers in another file. Save the model as one file.")


def _check_weights(path: Path) -> None:
    """Whether a file can be safetensors: the length of its header, and the header as JSON."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        is_sound = 2 <= length <= min(size - 8, LARGEST_HEADER)
        try:
            raw = stream.read(length) if is_sound else b"null"
            refuse_many(raw)
            header = json.loads(raw)
        except (ValueError, RecursionError, MemoryError):
            header = None
    ends = [
        one["data_offsets"][1]
        for key, one in (header.items() if isinstance(header, dict) else ())
        if key != "__metadata__" and isinstance(one, dict) and len(one.get("data_offsets", ())) == 2
    ]
    if not ends or max(ends) != size - 8 - length:
        raise UserError(f"{path} is damaged or cut off. Copy or download it again.")


def _has(path: Path, what: re.Pattern[bytes], longest: int) -> bool:
    step, before = 1 << 24, b""
    with path.open("rb") as stream:
        while piece := stream.read(step):
            if what.search(before + piece):
                return True
            before = piece[-longest:]
    return False


def _licence(folder: Path, config: Mapping[str, Any]) -> str:
    said = _front_matter(folder).get("license") or [str(config.get("license", ""))]
    if said[0]:
        return said[0]
    for name in licence_files(folder):
        lines = (folder / name).read_text(encoding="utf-8", errors="replace")[:2000].splitlines()
        return next((line.strip()[:60] for line in lines if line.strip()), "")
    return ""


def _learned_from(folder: Path) -> str:
    sets = _front_matter(folder).get("datasets", [])
    more = f" and {len(sets) - 4} more" if len(sets) > 4 else ""
    return ", ".join(sets[:4]) + more


def _front_matter(folder: Path) -> dict[str, list[str]]:
    """The keys of a model card's head, each with its values; read line by line, for it is not ours."""
    path = folder / "README.md"
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")[:20_000]
    found: dict[str, list[str]] = {}
    key = ""
    for line in text.split("---")[1].splitlines() if text.startswith("---") else ():
        item = re.fullmatch(r"\s*-\s+(.+)", line)
        pair = re.fullmatch(r"(\w+):\s*(.*)", line)
        if pair:
            key = pair[1]
            found[key] = [pair[2].strip(" '\"")[:60]] if pair[2].strip() else []
        elif item and key:
            found[key].append(item[1].strip(" '\"")[:60])
    return found


def _is_plain_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}", name) is not None
