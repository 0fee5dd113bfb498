"""What a state claims is believed only as far as its arrays go."""

from __future__ import annotations

import numpy as np
import pytest

from fathometer.core.states import counts
from fathometer.errors import BadBundle


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_counts_that_add_up_are_taken_whatever_their_type(dtype: type) -> None:
    found = counts(np.array([3, 0, 97], dtype=dtype), "counts", 100)
    assert found.dtype == np.int64
    assert found.tolist() == [3, 0, 97]


@pytest.mark.parametrize(
    "claimed",
    [
        [2**62, 2**62, 2**62, 2**62 + 7],
        [-(2**62), -(2**62), -(2**62), -(2**62) + 7],
        [2**63 - 1, 2**63 - 1, 9],
        [8, -1],
        [7, 1],
        [],
    ],
)
def test_counts_whose_sum_is_right_by_wrapping_alone_or_not_at_all_are_refused(claimed: list[int]) -> None:
    with pytest.raises(BadBundle):
        counts(np.array(claimed, dtype=np.int64), "counts", 7)


def test_counts_are_of_as_many_things_and_as_large_as_asked() -> None:
    with pytest.raises(BadBundle):
        counts(np.array([3, 4]), "counts", 7, count=3)
    with pytest.raises(BadBundle):
        counts(np.array([0, 7]), "counts", 7, low=1)
