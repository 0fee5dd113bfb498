"""What opening and serving a model needs, and nothing else."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fathometer import __version__
from fathometer.bundle.format import ENCODERS_FILE
from fathometer.core.files import read_json
from fathometer.learner import LEARNERS

ALWAYS = ("numpy", "pandas", "pyarrow", "safetensors")
OF_KINDS: Mapping[str, tuple[str, ...]] = {"text": ("scipy",), "image": ("pillow",)}
OF_ENCODERS: Mapping[str, tuple[str, ...]] = {
    "onnx": ("onnxruntime", "tokenizers", "torch"),
    "transformers": ("transformers", "tokenizers", "torch"),
    "fathometer": ("torch",),
}
OF_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "fathometer.learners.ml": (),
    "fathometer.learners.dl": ("torch",),
    "fathometer.learners.pretrained": ("scipy", "torch"),
}
OF_LEARNERS: Mapping[str, tuple[str, ...]] = {
    "boosting": ("lightgbm",),
    "forest": ("scikit-learn",),
    "nbsvm": ("scipy",),
    "neighbours": ("scikit-learn",),
    "words": ("scipy",),
}
"""What a learner of ours needs to load and predict (`Learner.needs`, told here so that no learner must be imported);
those that are not named need what their family does."""
COMMANDS = ("typer", "rich", "psutil", "charset-normalizer", "python-calamine")  # and reading files
REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def requirements(
    learners: Iterable[str], kinds: Iterable[str], members: Iterable[Path] = ()
) -> dict[str, str]:
    """Distribution -> installed version, of what these learners need to answer rows of these kinds.

    Args:
        members: folders of fitted models, which say which encoders they read with.
    """
    named = set(ALWAYS)
    for kind in kinds:
        named.update(OF_KINDS.get(kind, ()))
    for learner in learners:
        named.update(_of_learner(learner))
    for folder in members:
        wanted = read_json(folder / ENCODERS_FILE) if (folder / ENCODERS_FILE).exists() else []
        for one in wanted:
            named.update(OF_ENCODERS.get(str(one.get("form")), ()))
        if (
            next(folder.rglob("tokenizer.json"), None) is not None
        ):  # an encoder that was tuned is the member's own
            named.update(OF_ENCODERS["transformers"])
    versions = {name: _version(name) for name in sorted(named, key=str.lower)}
    return {name: version for name, version in versions.items() if version}


def requirements_text(requires: Mapping[str, str]) -> str:
    """A requirements.txt: what answering needs as it was when the model was made, and what `fathom serve` needs."""
    pinned = [f"{name}=={version.partition('+')[0]}" for name, version in sorted(requires.items())]
    lines = [
        "# What opening and serving this model needs. fathometer itself goes beside it, without what it trains with:",
        f"#   pip install -r requirements.txt && pip install --no-deps fathometer=={__version__}",
        *pinned,
        "# for the command line, files of rows, and `fathom serve`",
        *_further(requires),
    ]
    return "\n".join(lines) + "\n"


def _of_learner(name: str) -> Sequence[str]:
    if name in OF_LEARNERS:
        return OF_LEARNERS[name]
    place = LEARNERS.place(name)
    family = next((needs for package, needs in OF_FAMILIES.items() if place.startswith(f"{package}.")), None)
    return family if family is not None else _distribution_of(place)


def _distribution_of(place: str) -> Sequence[str]:
    """The package that brings a learner from outside; what it needs comes with it."""
    package = place.partition(":")[0].split(".")[0]
    return importlib.metadata.packages_distributions().get(package, ())[:1]


def _version(name: str) -> str:
    """The installed version, "" where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _further(requires: Mapping[str, str]) -> list[str]:
    """What we demand of the packages that only serving and the command line use."""
    try:
        demanded = importlib.metadata.requires("fathometer") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = []
    for demand in demanded:
        wanted, _, marker = demand.partition(";")
        match = REQUIREMENT.match(wanted)
        is_served = 'extra == "serve"' in marker or (match is not None and match[1] in COMMANDS)
        if match is not None and is_served and match[1] not in requires:
            kept = re.sub(r"""\s*(and\s*)?extra == "serve"(\s*and)?\s*""", "", marker).strip()
            found.append(wanted.strip() + (f"; {kept}" if kept else ""))
    return sorted(found)
