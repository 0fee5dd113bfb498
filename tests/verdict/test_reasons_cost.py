"""Reasons V301 to V304: what training and answering cost."""

from __future__ import annotations

from dataclasses import replace

from evidences import evidence, latency, said, standings_with, verdict

from fathometer.verdict.evidence import Evidence

ALIKE = {"classical": latency(1.0, 20.0), "deep": latency(1.1, 21.0)}
SLOW_DEEP = {"classical": latency(0.5, 4.0), "deep": latency(2.0, 120.0)}


def training(given: Evidence, **seconds: float) -> Evidence:
    """With trials of these families that took so many processor seconds."""
    trials = [replace(t, cpu_seconds=seconds.get(t.family, t.cpu_seconds)) for t in given.outcome.trials]
    return replace(given, outcome=replace(given.outcome, trials=tuple(trials)))


def test_v301_is_said_where_the_model_to_use_is_cheaper() -> None:
    base = evidence(verdict=verdict("classical"), measures=SLOW_DEEP)
    assert said("V301", base) == (
        "Deep learning needs 4 times the time to answer one row (2 against 0.5 ms) and 30 times the time to answer a "
        "thousand rows (120 against 4 ms), compared with classical ML."
    )
    text = said("V301", training(replace(base, measures=ALIKE), classical=4.0, deep=48.0))
    assert (
        text is not None
        and "12 times the time to train its models once (48 against 4 processor seconds)" in text
    )
    assert said("V301", replace(base, measures=ALIKE)) is None
    # dearer to train: no plain "cheaper"
    assert said("V301", training(base, classical=48.0, deep=4.0)) is None


def test_v302_is_said_where_the_model_to_use_is_dearer() -> None:
    base = evidence(verdict=verdict("deep"), measures=SLOW_DEEP)
    text = said("V302", base)
    assert text is not None
    assert text.startswith("Deep learning needs 4 times the time to answer one row (2 against 0.5 ms)")
    assert said("V302", replace(base, measures=ALIKE)) is None
    assert said("V302", replace(base, verdict=verdict("classical"))) is None
    both = said("V302", training(replace(base, verdict=verdict("together")), classical=9.0, deep=9.0))
    assert both is None  # what both together cost to answer was not measured


def test_v302_takes_the_trials_own_time_where_answers_were_not_timed() -> None:
    slow = standings_with(classical={"microseconds_per_row": 10.0}, deep={"microseconds_per_row": 500.0})
    text = said("V302", evidence(verdict=verdict("deep"), table=slow))
    assert text is not None and "50 times the time to answer a thousand rows (500 against 10 ms)" in text
    # milliseconds that nobody minds
    quick = standings_with(classical={"microseconds_per_row": 0.1}, deep={"microseconds_per_row": 5.0})
    assert said("V302", evidence(verdict=verdict("deep"), table=quick)) is None


def test_v303_is_said_of_a_large_model() -> None:
    large = standings_with(deep={"model_bytes": 150_000_000}, classical={"model_bytes": 2_000_000})
    text = said("V303", evidence(verdict=verdict("deep"), table=large))
    assert text == "The model of deep learning takes 150 MB on disk; that of classical ML takes 2 MB."
    assert said("V303", evidence(verdict=verdict("classical"), table=large)) is None
    larger = standings_with(deep={"model_bytes": 30_000_000}, classical={"model_bytes": 2_000_000})
    assert "30 MB" in (said("V303", evidence(verdict=verdict("deep"), table=larger)) or "")
    small = standings_with(deep={"model_bytes": 9_000_000}, classical={"model_bytes": 9_000})
    assert said("V303", evidence(verdict=verdict("deep"), table=small)) is None


def test_v304_is_said_where_a_tie_goes_to_the_cheaper() -> None:
    text = said("V304", evidence())
    assert text == (
        "Classical ML is taken: it needs 500 microseconds of processor time per row answered, the other 2,500, "
        "5 times as much."
    )
    alike = standings_with(classical={"microseconds_per_row": 50.0}, deep={"microseconds_per_row": 51.0})
    text = said("V304", evidence(table=alike)) or ""
    assert "about the same per answer, 50 and 51 microseconds a row; classical ML is taken" in text
    quicker = standings_with(
        classical={"microseconds_per_row": 50.0, "training_seconds": 30.0},
        deep={"microseconds_per_row": 51.0, "training_seconds": 2.0},
    )
    text = said("V304", evidence(verdict=verdict("tie", use="deep"), table=quicker)) or ""
    assert "deep learning is taken, which trains in 2 seconds against 30" in text
    assert said("V304", evidence(verdict=verdict("leaning_tie", use="deep"), table=alike)) is not None
    assert said("V304", evidence(verdict=verdict("classical"))) is None
