"""What is remembered is what would have been made, whatever happens in between."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

from fathometer.core.memo import (
    borrowed_seconds,
    is_remembering,
    made_seconds,
    name_of,
    recalled_rows,
    recalled_state,
    remembering,
    sharing,
)

DIGESTS = np.array([5, 9, 5, 2**63 + 1, 7], dtype=np.uint64)


def squares(calls: list[int]):
    def make(positions):
        calls.extend(int(place) for place in positions)
        values = (DIGESTS[positions] % 1000).astype(np.float32)
        return np.stack([values, values**2], axis=1)

    return make


def expected() -> np.ndarray:
    values = (DIGESTS % 1000).astype(np.float32)
    return np.stack([values, values**2], axis=1)


def test_nothing_is_remembered_outside():
    calls: list[int] = []
    assert not is_remembering()
    for _ in range(2):
        np.testing.assert_array_equal(recalled_rows("a", DIGESTS, 2, squares(calls)), expected())
    assert sorted(calls) == [0, 0, 1, 1, 3, 3, 4, 4]  # equal values once, every time


def test_each_value_is_made_once(tmp_path):
    calls: list[int] = []
    with remembering(tmp_path):
        for _ in range(3):
            np.testing.assert_array_equal(recalled_rows("a", DIGESTS, 2, squares(calls)), expected())
    with remembering(tmp_path):  # another worker
        np.testing.assert_array_equal(
            recalled_rows("a", DIGESTS[::-1].copy(), 2, squares(calls)), expected()[::-1]
        )
    assert sorted(calls) == [0, 1, 3, 4]


def test_what_was_made_before_a_failure_is_kept(tmp_path):
    calls: list[int] = []

    def failing(positions):
        if len(calls) >= 2:
            raise RuntimeError("out of time")
        return squares(calls)(positions)

    with remembering(tmp_path):
        with pytest.raises(RuntimeError):
            recalled_rows("a", DIGESTS, 2, failing, most_rows=1)
        np.testing.assert_array_equal(recalled_rows("a", DIGESTS, 2, squares(calls), most_rows=1), expected())
    assert sorted(calls) == [0, 1, 3, 4]


@pytest.mark.parametrize("cut", [1, 3, 8, 9])
def test_a_kill_between_two_writes_loses_rows_and_never_gives_wrong_ones(tmp_path, cut):
    calls: list[int] = []
    with remembering(tmp_path):
        recalled_rows("a", DIGESTS, 2, squares(calls))
        keys = tmp_path / "a.keys"
        keys.write_bytes(keys.read_bytes()[:-cut])
        np.testing.assert_array_equal(recalled_rows("a", DIGESTS, 2, squares(calls)), expected())


def test_states_are_made_once(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return {"terms": ["a", "b"], "weights": np.arange(3.0)}

    with remembering(tmp_path):
        first, second = recalled_state("s", make), recalled_state("s", make)
    assert calls == [1]
    assert first["terms"] == second["terms"]
    np.testing.assert_array_equal(first["weights"], second["weights"])


def test_a_kill_before_a_state_was_whole_makes_it_anew(tmp_path, monkeypatch):
    written = Path.write_text

    def killed(self, text, **told):
        if self.parent == tmp_path / "name" and self.name.startswith("seconds"):
            written(self, "", **told)  # the file is there before anything stands in it
            raise KeyboardInterrupt
        return written(self, text, **told)

    with remembering(tmp_path):
        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_text", killed)
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    recalled_state("name", lambda: {"a": 1})
        assert recalled_state("name", lambda: {"a": 2}) == {"a": 2}
        assert recalled_state("name", lambda: {"a": 3}) == {"a": 2}


def test_no_rows_and_no_columns_are_legal(tmp_path):
    with remembering(tmp_path):
        none = recalled_rows("a", DIGESTS[:0], 3, lambda at: np.zeros((len(at), 3), dtype=np.float32))
        narrow = recalled_rows("b", DIGESTS, 0, lambda at: np.zeros((len(at), 0), dtype=np.float32))
    assert none.shape == (0, 3)
    assert narrow.shape == (5, 0)


def test_a_name_says_the_whole_recipe():
    names = {name_of("a", "b"), name_of("ab"), name_of("a", b"b"), name_of("a", 1), name_of("a", "1")}
    assert len(names) == 5
    assert name_of("a", "b") == name_of("a", "b")


def _work(folder: str, count: int) -> None:
    digests = np.arange(1, count + 1, dtype=np.uint64)

    def make(positions):
        return np.repeat(digests[positions].astype(np.float32)[:, None], 4, axis=1)

    with remembering(Path(folder)):
        rows = recalled_rows("shared", digests, 4, make, most_rows=7)
    np.testing.assert_array_equal(rows, np.repeat(digests.astype(np.float32)[:, None], 4, axis=1))


def test_workers_at_the_same_time_do_not_mix_their_rows(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_work, args=(str(tmp_path), 100 + 50 * i)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    keys = np.fromfile(tmp_path / "shared.keys", dtype=np.uint64)
    assert len(np.unique(keys)) == len(keys) == 250


def test_what_others_spent_is_told_apart_from_what_is_spent_here(tmp_path):
    def slow(positions):
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        return np.zeros((len(positions), 1), dtype=np.float32)

    with remembering(tmp_path):
        recalled_rows("a", DIGESTS, 1, slow)
        made = made_seconds()
        assert made >= 0.05
        assert borrowed_seconds() == 0
    with remembering(tmp_path):
        recalled_rows("a", DIGESTS[:3], 1, slow)
        assert made_seconds() == 0
        assert borrowed_seconds() == pytest.approx(made / 2)  # two of the four different values


def test_models_that_answer_together_share_what_they_make_and_then_it_is_gone():
    calls: list[int] = []
    for _ in range(2):
        with sharing():
            assert is_remembering()
            for _ in range(3):
                rows = recalled_rows("a", DIGESTS, 2, squares(calls))
                np.testing.assert_array_equal(rows, expected())
                rows[:] = 0  # nobody's change reaches another
    assert not is_remembering()
    assert sorted(calls) == [0, 0, 1, 1, 3, 3, 4, 4]
