"""Networks filled with weights from a file, without believing what the file says of its own size.

A network is first made on torch's "meta" device, where tensors have shapes and no memory; then every weight in the file
must have the shape and type that the network wants, and takes its place. So a file that claims a width of a billion
costs nothing, and a network never holds more than came in the file. What a network derives from its layout (places in
tables, mostly) is made for real, and the file must hold the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from fathometer.core.files import State
from fathometer.core.states import damaged, demand, number, table, text, truth, whole
from fathometer.learner import Learner
from fathometer.learners._network import Recalling

T = TypeVar("T", bound=nn.Module)
L = TypeVar("L", bound=Learner)
LARGEST = 1_000_000  # whole number among a recipe's settings
COUNTS_OF_PARTS = frozenset({"depth", "networks", "members"})
ABOVE_NOUGHT = frozenset({"running_var", "heats"})
MOST_PARTS = 1_024  # layers of a network, or networks side by side
MOST_KEPT = 1 << 17  # rows that a network keeps in mind


def filled(make: Callable[[], T], weights: Any, ready: Callable[[T], None] = lambda network: None) -> T:
    """The network that `make` makes, with these weights (name -> array), at rest.

    Args:
        ready: told of the empty network, to make room in it.

    Raises:
        BadBundle: the weights are not those of such a network.
    """
    with torch.device("meta"):
        network = make()
        ready(network)
    wanted = network.state_dict()
    table(weights, "weights", wanted.keys())
    found = {name: _fitting(name, weights[name], tensor) for name, tensor in wanted.items()}
    network.load_state_dict(found, assign=True)
    demand(not any(one.is_meta for one in [*network.parameters(), *network.buffers()]), "weights are missing")
    return network.requires_grad_(False).eval()


def alike(make: Callable[[], nn.Module], count: int, weights: int) -> list[nn.Module]:
    """So many networks that are alike; the first one alone is made where a file has too few weights for all.

    Raises:
        BadBundle: it has.
    """
    first = make()
    demand(count * len(first.state_dict()) <= weights, "there are weights of fewer networks")
    return [first, *(make() for _ in range(count - 1))]


def make_room(network: nn.Module, weights: Any, prefix: str) -> None:
    """Room for the rows that a network keeps in mind, of which the file tells how many they are."""
    for name, part in network.named_modules():
        if isinstance(part, Recalling):
            keys = weights[f"{prefix}{name}.keys"]
            demand(
                isinstance(keys, np.ndarray) and keys.ndim == 2 and 1 <= len(keys) <= MOST_KEPT,
                "too many rows",
            )
            part.make_room(len(keys))


def recipe_from(learner: type[L], settings: Any, weights: int) -> L:
    """A recipe as its settings say; where a network has so many weights, it has no more parts.

    Raises:
        BadBundle: a setting is unknown, of another type, or beyond all measure.
    """
    usual = {item.name: item.default for item in fields(learner)}  # type: ignore[arg-type]
    table(settings, "settings", (), usual.keys())
    return learner(**{name: _setting(name, value, usual[name], weights) for name, value in settings.items()})


def _setting(name: str, value: Any, usual: Any, weights: int) -> Any:
    if isinstance(usual, bool):
        return truth(value, name)
    if isinstance(usual, int):
        return whole(value, name, 0, min(weights, MOST_PARTS) if name in COUNTS_OF_PARTS else LARGEST)
    if isinstance(usual, float):
        return number(value, name, -LARGEST, LARGEST)
    if isinstance(usual, str):
        return text(value, name)
    return damaged(f"the setting {name} cannot be read")


def _fitting(name: str, value: Any, wanted: torch.Tensor) -> torch.Tensor:
    if isinstance(value, np.ndarray) and not wanted.dim() and value.shape == (1,):
        value = value.reshape(())  # so lone numbers were once written
    if not isinstance(value, np.ndarray) or value.shape != tuple(wanted.shape):
        damaged(f"the weights {name} should have the shape {tuple(wanted.shape)}, and have {np.shape(value)}")
    found = torch.from_numpy(value if value.flags.writeable else value.copy())
    demand(found.dtype == wanted.dtype, f"the weights {name} are {found.dtype}, and should be {wanted.dtype}")
    if found.is_floating_point():
        demand(np.isfinite(value).all(), f"the weights {name} hold what is no number")
    if name.rpartition(".")[2] in ABOVE_NOUGHT:
        demand((value >= 0).all(), f"the weights {name} should not lie below 0")
    if not wanted.is_meta:
        demand(torch.equal(found, wanted), f"{name} is not what it should be for such columns")
    return found


def checked_weights_of(state: State) -> int:
    """How many weights a state holds.

    Raises:
        BadBundle: it holds none.
    """
    weights = state["weights"]
    demand(isinstance(weights, dict) and weights, "there are no weights")
    return len(weights)
