"""AdamW on one flat tensor.

torch.optim imports the compiler with its first optimiser (about one second of processor time in every
process), and treats parameters one by one; this does the same sums on all of them at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from fathometer.learners._network import Part


@dataclass(frozen=True)
class Group:
    """Parameters next to each other, from start to before end, that learn and decay alike."""

    start: int
    end: int
    pace: float
    decays: bool


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101).

    The network's parameters become views of one flat tensor, and so do their gradients.
    """

    def __init__(self, network: nn.Module, *, betas: tuple[float, float], epsilon: float = 1e-8) -> None:
        ordered = sorted(_paced(network), key=lambda item: (item[1], item[2]))
        self.groups: list[Group] = []
        device = ordered[0][0].device
        total = sum(parameter.numel() for parameter, _, _ in ordered)
        self.weights = torch.empty(total, device=device)
        self.gradients = torch.zeros(total, device=device)
        start = 0
        for parameter, pace, decays in ordered:
            end = start + parameter.numel()
            self._move(parameter, start, end)
            self._extend(start, end, pace, decays)
            start = end
        self.means = torch.zeros_like(self.weights)
        self.squares = torch.zeros_like(self.weights)
        self.room = torch.empty_like(self.weights)
        self.betas = betas
        self.epsilon = epsilon
        self.steps = 0

    def step(self, rate: float, decay: float) -> None:
        """One step along the gradients at this learning rate; then the gradients are zero again."""
        self.steps += 1
        first, second = self.betas
        self.means.lerp_(self.gradients, 1 - first)
        self.squares.mul_(second).addcmul_(self.gradients, self.gradients, value=1 - second)
        torch.sqrt(self.squares, out=self.room)
        self.room.div_(math.sqrt(1 - second**self.steps)).add_(self.epsilon)
        stride = rate / (1 - first**self.steps)
        for group in self.groups:
            span = slice(group.start, group.end)
            weights = self.weights[span]
            if group.decays and decay:
                weights.mul_(1 - rate * group.pace * decay)
            weights.addcdiv_(self.means[span], self.room[span], value=-stride * group.pace)
        self.gradients.zero_()

    def reset(self, weights: torch.Tensor) -> None:
        """Start again from these weights, as if no step had been taken."""
        self.weights.copy_(weights)
        for tensor in (self.gradients, self.means, self.squares):
            tensor.zero_()
        self.steps = 0

    def _move(self, parameter: nn.Parameter, start: int, end: int) -> None:
        place = _shaped(self.weights[start:end], parameter.shape)
        place.copy_(parameter.detach())
        parameter.data = place
        parameter.grad = _shaped(self.gradients[start:end], parameter.shape)

    def _extend(self, start: int, end: int, pace: float, decays: bool) -> None:
        last = self.groups[-1] if self.groups else None
        if last is not None and (last.pace, last.decays) == (pace, decays):
            self.groups[-1] = Group(last.start, end, pace, decays)
        else:
            self.groups.append(Group(start, end, pace, decays))


def _shaped(flat: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """A view of this shape; a convolution's has its channels last, which makes its steps a third shorter."""
    if len(shape) != 4:
        return flat.view(shape)
    outputs, inputs, height, width = shape
    return flat.view(outputs, height, width, inputs).permute(0, 3, 1, 2)


def _paced(network: nn.Module) -> list[tuple[nn.Parameter, float, bool]]:
    """Every parameter with its pace and whether it decays."""
    found = []
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, Part):
                found.append((parameter, module.paces.get(name, 1.0), name not in module.still))
            else:
                found.append((parameter, 1.0, parameter.dim() > 1))
    return found
