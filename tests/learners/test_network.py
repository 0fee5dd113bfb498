"""Parts of networks against formulas and torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fathometer.learners._network import Codes, Dropout, Piecewise, mish
from fathometer.learners._optimizer import AdamW


def test_mish_and_its_slope_are_those_of_torch() -> None:
    places = torch.linspace(-30, 30, 601)
    ours, theirs = places.clone().requires_grad_(), places.clone().requires_grad_()
    mish(ours).sum().backward()
    nn.functional.mish(theirs).sum().backward()
    torch.testing.assert_close(mish(places), nn.functional.mish(places), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)


def test_our_adamw_steps_like_that_of_torch() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))
    theirs = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))
    theirs.load_state_dict(ours.state_dict())
    mine = AdamW(ours, betas=(0.9, 0.95))
    decaying = [parameter for parameter in theirs.parameters() if parameter.dim() > 1]
    still = [parameter for parameter in theirs.parameters() if parameter.dim() == 1]
    groups = [{"params": decaying, "weight_decay": 0.1}, {"params": still, "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95))
    for _ in range(20):
        inputs = torch.randn(16, 5)
        ours(inputs).square().mean().backward()
        with torch.no_grad():
            mine.step(0.01, 0.1)
        reference.zero_grad()
        theirs(inputs).square().mean().backward()
        reference.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_piecewise_says_how_far_each_bin_is_filled() -> None:
    part = Piecewise(((0.0, 1.0, 3.0), (5.0, 6.0)))
    inputs = torch.tensor([[2.0, 5.25], [-9.0, 99.0]])
    expected = torch.tensor([[2.0, 5.25, 1.0, 0.5, 0.25], [-9.0, 99.0, 0.0, 0.0, 1.0]])
    torch.testing.assert_close(part(inputs), expected)


def test_small_codes_are_one_hot_and_unseen_ones_nothing() -> None:
    part = Codes((3, 4), (False, True))
    given = torch.tensor([[0, 0], [2, 3]], dtype=torch.int32)
    expected = torch.tensor([[0, 0, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 1]], dtype=torch.float32)
    torch.testing.assert_close(part(given), expected)


def test_large_codes_are_embedded_and_unseen_ones_nothing() -> None:
    part = Codes((100, 3), (False, False))
    found = part(torch.tensor([[0, 1], [99, 2]], dtype=torch.int32))
    assert found.shape == (2, 3 + 8)
    assert (found[0, 3:] == 0).all()
    torch.testing.assert_close(found[1, 3:], part.table[99])


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(share: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(share)(torch.ones(1000, 201))
    assert float((dropped == 0).float().mean()) == pytest.approx(share, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)
    assert (Dropout(share).eval()(torch.ones(3)) == 1).all()
