"""A bundle's chosen family, or one of its members, as one ONNX model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from fathometer.bundle import Bundle
from fathometer.core.trust import trusting
from fathometer.errors import BadBundle, UnknownName, UserError
from fathometer.export.answers import label, mixed
from fathometer.export.columns import ROWS, Inputs
from fathometer.export.converter import CONVERTERS, Converter, can_be_exported
from fathometer.export.raw import PictureConverter
from fathometer.tasks.classification import Classification

FORMAT = "1"  # of the metadata
BASELINE = "baseline"


@dataclass(frozen=True)
class Choice:
    """What of a bundle is exported: who answers, by which mixes of members."""

    name: str
    mixes: Sequence[Mapping[str, float]]

    @classmethod
    def of(cls, bundle: Bundle, family: str | None, member: str | None) -> Choice:
        """A family (the verdict's choice unless one is named), or one member alone.

        Raises:
            UserError: there is none of that name, or both are named.
        """
        if member is not None:
            if family is not None:
                raise UserError("Expected a family or a member to export; got both. Name one of them.")
            if member not in bundle.learners:
                raise UnknownName("member in this model", member, bundle.learners)
            return cls(member, [{member: 1.0}])
        name = family or bundle.default
        if name not in bundle.mixes:
            raise UnknownName("competitor in this model", name, bundle.mixes)
        return cls(name, bundle.mixes[name])

    @property
    def members(self) -> list[str]:
        """Every member that answers, in order."""
        return list(dict.fromkeys(key for mix in self.mixes for key in mix))


@dataclass(frozen=True)
class Built:
    """An ONNX model and how rows go into it."""

    model: onnx.ModelProto
    inputs: Inputs


def build(bundle: Bundle, choice: Choice, made_by: str) -> Built:
    """The model, not yet checked.

    Raises:
        UserError: a member cannot be exported; it says which, why, and what to do.
    """
    inputs = Inputs.of(bundle.schema)
    answers = {key: _answer(bundle, choice, key, inputs) for key in choice.members}
    graph = inputs.graph
    answer = mixed(graph, answers, choice.mixes, bundle.task)
    outputs: list[onnx.ValueInfoProto] = []
    if isinstance(bundle.task, Classification):
        graph.named(answer, "probabilities")
        graph.named(label(graph, answer, bundle.task), "label")
        classes = bundle.task.outputs
        outputs.append(helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [ROWS, classes]))
        outputs.append(helper.make_tensor_value_info("label", TensorProto.STRING, [ROWS]))
    else:
        flat = graph.node("Squeeze", answer, np.array([1], dtype=np.int64))
        graph.named(flat, "value")
        outputs.append(helper.make_tensor_value_info("value", TensorProto.DOUBLE, [ROWS]))
    about = _about(bundle, choice, inputs, made_by)
    return Built(graph.model(inputs.declared(), outputs, about), inputs)


def _answer(bundle: Bundle, choice: Choice, key: str, inputs: Inputs) -> str:
    converter = _converter(bundle, choice, key)
    bundle.member(key)  # what cannot be read is found and told by its learner
    try:
        with trusting(bundle.trusted):
            return converter.answer(inputs, bundle.folder / "members" / key, bundle.task)
    except UserError as error:
        raise UserError(
            f"{_which(bundle, key)} of {choice.name!r}: {error}{_others(bundle, choice)}"
        ) from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BadBundle(
            f"What {key} in {bundle.folder} holds is not what {bundle.learners[key]} saves ({error}). "
            "Make the model again."
        ) from error


def _converter(bundle: Bundle, choice: Choice, key: str) -> Converter:
    name = bundle.learners[key]
    if name not in CONVERTERS.names():
        raise UserError(
            f"{_which(bundle, key)} of {choice.name!r} cannot be exported: it comes from outside, and there is no "
            f"converter for it.{_others(bundle, choice)}"
        )
    return CONVERTERS.get(name)()


def _which(bundle: Bundle, key: str) -> str:
    return f"The member {key!r} ({bundle.learners[key]})"


def _others(bundle: Bundle, choice: Choice) -> str:
    """What could be exported in its place, or what to do where nothing can."""
    able = [
        name
        for name, mixes in bundle.mixes.items()
        if name not in (choice.name, BASELINE) and all(_fits(bundle, key) for mix in mixes for key in mix)
    ]
    if able:
        return f" Another family of this model can be exported: {' or '.join(f'--family {name}' for name in able)}."
    learners = bundle.learners
    keys = [key for key in (*choice.members, *learners) if _fits(bundle, key) and learners[key] != BASELINE]
    if keys:
        return f" No family can be, but a member alone: --member {keys[0]} ({learners[keys[0]]})."
    return f" There is no way yet to export any part of this model: {_instead(bundle)}."


def _instead(bundle: Bundle) -> str:
    """What to do with a model of which no part can be a graph."""
    kinds = bundle.schema.kinds
    hard = [name for name, kind in kinds.items() if kind in ("text", "image")]
    serve = "serve it as it is (fathom serve MODEL)"
    if not hard or len(hard) == len(kinds):
        return serve
    dropped = " ".join(f"--drop {name!r}" for name in hard[:3]) + (" ..." if len(hard) > 3 else "")
    return f"{serve}, or compare without these columns ({dropped}) and export that"


def _fits(bundle: Bundle, key: str) -> bool:
    """Whether a member can be exported, as far as its learner and the kinds of columns say."""
    learner, kinds = bundle.learners[key], set(bundle.schema.kinds.values())
    if not can_be_exported(learner) or "text" in kinds:
        return False
    return "image" not in kinds or issubclass(CONVERTERS.get(learner), PictureConverter)


def _about(bundle: Bundle, choice: Choice, inputs: Inputs, made_by: str) -> dict[str, str]:
    """Facts for people and programs, all as text."""
    task = bundle.task
    about = {
        "product": made_by,
        "export_format": FORMAT,
        "bundle": bundle.name,
        "bundle_version": bundle.version,
        "answers_as": choice.name,
        "members": json.dumps({key: bundle.learners[key] for key in choice.members}),
        "columns": inputs.told(),
        "task": task.name,
        "target": task.target.encode("utf-8", "replace").decode("utf-8"),
        "metric": task.metric,
    }
    if isinstance(task, Classification):
        about["labels"] = json.dumps(list(task.labels))
    return about
