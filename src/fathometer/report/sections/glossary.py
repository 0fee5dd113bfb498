"""What the words mean."""

from __future__ import annotations

from fathometer.report.document import Section, Terms, Words

MEANINGS: tuple[tuple[str, str], ...] = (
    ("Baseline", "the answer that ignores all inputs: the commonest class, or the mean."),
    ("Budget", "the wall time allowed for everything; both families get the same share of it."),
    ("Calibration", "whether what is stated with 70 % comes true in 70 % of cases."),
    ("Classical machine learning", "boosted trees, forests, linear models, kernels and neighbours."),
    ("Crossover", "the number of rows from which on the other family would be ahead."),
    ("Data learning curve", "the score against the number of rows learned from."),
    ("Deep learning", "neural networks of several layers, trained here from scratch on your rows."),
    ("Fold", "one division of the rows into those learned from and those only judged on."),
    ("Interval", "the range in which the true value lies with the stated probability."),
    ("Margin", "the smallest difference that matters; below it, the two count as equal."),
    ("Processor time", "seconds of one core at work; two cores for a minute are two minutes."),
    ("Test rows", "rows that no model saw and no choice was made on."),
    ("Trial", "one model trained once, on one fold, with one choice of settings."),
    ("Validation rows", "rows kept aside from learning to make choices by."),
)


def section() -> Section:
    """A small glossary."""
    pairs: tuple[tuple[Words, tuple[Words, ...]], ...] = tuple(
        (word, (meaning,)) for word, meaning in MEANINGS
    )
    return Section("glossary", "Words", (Terms(pairs),))
