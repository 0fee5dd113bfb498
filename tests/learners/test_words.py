"""Terms and their weights are those of scikit-learn, and a linear model over them learns what texts say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from fathometer.data.rows import Rows
from fathometer.kind import KINDS
from fathometer.kinds.text import folded, words_of
from fathometer.learner import LEARNERS, Facts, Run
from fathometer.learners._sparse import Block, SparseModel, climbed
from fathometer.learners._terms import Terms, Vocabulary
from fathometer.learners.ml.boosting import Boosting
from fathometer.learners.ml.nbsvm import NbSvm
from fathometer.learners.ml.words import Words
from fathometer.task import TASKS, Task

SENTENCE = "the cat sat on a mat, and saw one bird fly over our old red house; it's Zoë's! 今日は हिन्दी x"
SAID = SENTENCE.split()


def sentences(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(SAID, rng.integers(0, 15))) for _ in range(count)]


def by_words(longest: int, **settings: object) -> dict[str, object]:
    return {
        "tokenizer": words_of,
        "token_pattern": None,
        "lowercase": False,
        "ngram_range": (1, longest),
    } | settings


def by_letters(shortest: int, longest: int, **settings: object) -> dict[str, object]:
    return {"preprocessor": folded, "analyzer": "char_wb", "ngram_range": (shortest, longest)} | settings


CASES = [
    (Terms(words=1), by_words(1)),
    (Terms(words=3), by_words(3)),
    (Terms(letters=(2, 5)), by_letters(2, 5)),
    (Terms(letters=(3, 3)), by_letters(3, 3)),
]


@pytest.mark.parametrize(("terms", "settings"), CASES)
@pytest.mark.parametrize("fewest", [1, 2, 5])
def test_counts_are_those_of_scikit_learn(terms: Terms, settings: dict[str, object], fewest: int) -> None:
    texts = sentences(150)
    theirs = CountVectorizer(min_df=fewest, **settings).fit(texts)
    ours = Vocabulary.fit(texts, terms, fewest, 10**6)
    for asked in (texts, sentences(80, seed=1)):
        mine, other = ours.counts(asked).toarray(), theirs.transform(asked).toarray()
        assert mine.shape == other.shape
        place = places(ours, theirs)
        np.testing.assert_array_equal(mine[:, place], other)


@pytest.mark.parametrize(("terms", "settings"), CASES)
def test_weights_are_those_of_scikit_learn(terms: Terms, settings: dict[str, object]) -> None:
    texts, asked = sentences(150), sentences(80, seed=1)
    theirs = TfidfVectorizer(sublinear_tf=True, min_df=2, **settings).fit(texts)
    vocabulary = Vocabulary.fit(texts, terms, 2, 10**6)
    mine = Block("t", vocabulary).transform(rows_of({"t": asked})).toarray()
    other = theirs.transform(asked).toarray()
    np.testing.assert_allclose(mine[:, places(vocabulary, theirs)], other, rtol=1e-5, atol=1e-6)


def places(ours: Vocabulary, theirs: CountVectorizer) -> list[int]:
    """Where each of scikit-learn's columns stands among ours: a text that is the term alone shows it."""
    found = []
    for term in theirs.get_feature_names_out():
        shown = ours.terms.shown([term])[1] if ours.terms.words else letters_shown(term)
        held = np.flatnonzero(np.isin(ours.keys, shown[-1:]))
        assert len(held) == 1
        found.append(int(held[0]))
    return found


def letters_shown(term: str) -> np.ndarray:
    """The number of one run of letters, the blanks at whose ends count."""
    inner = term.strip()
    _, keys = Terms(letters=(len(term), len(term))).shown([inner])
    # of " inner " the runs begin at its blank, then one later, ...
    return keys[[0 if term.startswith(" ") else 1]] if len(keys) > 1 else keys


def test_the_commonest_terms_are_kept() -> None:
    texts = ["a b c", "a b", "a"]
    kept = Vocabulary.fit(texts, Terms(words=1), 1, 2)
    assert kept.shown.tolist() == [3, 2] or kept.shown.tolist() == [2, 3]
    assert Vocabulary.fit(texts, Terms(words=2), 2, 10).counts(texts).toarray().sum() == 3 + 2 + 2


def test_texts_do_not_touch_each_other() -> None:
    terms = Terms(words=3, letters=(2, 6))
    texts = ["one two", "", "three", "four five six seven", "x"]
    rows, keys = terms.shown(texts)
    for place, text in enumerate(texts):
        alone = terms.shown([text])[1]
        assert sorted(keys[rows == place].tolist()) == sorted(alone.tolist())


def test_no_texts_no_words_and_no_terms_are_legal() -> None:
    for texts in ([], ["", ""], ["...", "?!"]):
        vocabulary = Vocabulary.fit(texts, Terms(words=2), 1, 10)
        assert vocabulary.counts(["anything at all", ""]).shape == (2, len(vocabulary.keys))
        assert Block("t", vocabulary).transform(rows_of({"t": texts})).shape[0] == len(texts)


def test_numbers_of_terms_never_change() -> None:
    """A model that was saved reads texts by these numbers; whoever changes them breaks it."""
    rows, keys = Terms(words=2, letters=(2, 3)).shown(["Ab é"])
    assert rows.tolist() == [0] * len(keys)
    assert [f"{key:016x}" for key in keys] == NUMBERS


NUMBERS = [
    "c31f7dbc59412889",
    "56742fa775d1678d",
    "d48c0e504ae7d209",
    "f729c20597a53106",
    "edb873727315a0fe",
    "51de715c7e108113",
    "387469f9e5ba4958",
    "e1f4dc2227850b70",
    "eb76cf0f205ca9da",
    "96c4f2bbb7a4b33d",
    "011a64ca95747a50",
]


def rows_of(columns: dict[str, list[str]], target: np.ndarray | None = None, **numbers: np.ndarray) -> Rows:
    frame = pd.DataFrame({name: pd.Series(texts, dtype=object) for name, texts in columns.items()})
    kinds = dict.fromkeys(columns, "text")
    for name, values in numbers.items():
        frame[name], kinds[name] = values, "number"
    return Rows(frame, kinds, target)


def task_of(classes: int) -> Task:
    labels = [f"class {number}" for number in range(classes)]
    value = {"name": "classification", "target": "y", "metric": "accuracy", "margin": 0.5, "labels": labels}
    return TASKS.get("classification").from_json(value)


def subjects(count: int, classes: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Texts each of which shows two words of its class among ten of no class."""
    rng = np.random.default_rng(seed)
    target = rng.integers(classes, size=count)
    own = [[f"c{label}w{word}" for word in range(6)] for label in range(classes)]
    texts = [" ".join([*rng.choice(own[label], 2), *rng.choice(SAID, 10)]) for label in target]
    return texts, target


@pytest.mark.parametrize(
    "learner", [Words(), Words(letters=4), Words(words=0, letters=3), NbSvm(), NbSvm(blend=0.5)]
)
@pytest.mark.parametrize("classes", [2, 4])
def test_subjects_are_told_apart(learner: Words | NbSvm, classes: int, tmp_path: Path) -> None:
    train, valid, asked = (
        rows_of({"t": texts}, target)
        for texts, target in (subjects(count, classes, seed) for seed, count in enumerate((300, 100, 200)))
    )
    model = learner.fit(train, valid, task_of(classes), Run(seconds=30))
    right = model.predict(asked).argmax(axis=1) == asked.answers
    assert right.mean() > 0.97
    model.save(tmp_path)
    np.testing.assert_array_equal(type(learner).load(tmp_path).predict(asked), model.predict(asked))


def test_columns_beside_the_text_count_too() -> None:
    rng = np.random.default_rng(0)
    number = rng.normal(size=600)
    texts, target = subjects(600, 2, 0)
    target = np.where(number > 0, target, 1 - target * 0)  # below zero always 1: both columns are needed
    whole = rows_of({"t": texts}, target, n=number)
    parts = [whole.take(np.arange(*span)) for span in ((0, 300), (300, 400), (400, 600))]
    both = Words().fit(parts[0], parts[1], task_of(2), Run(seconds=30)).predict(parts[2])
    alone = [Rows(part.frame[["t"]], {"t": "text"}, part.target) for part in parts]
    lone = Words().fit(alone[0], alone[1], task_of(2), Run(seconds=30)).predict(alone[2])
    truth = parts[2].answers
    assert ((both.argmax(axis=1) == truth).mean()) > ((lone.argmax(axis=1) == truth).mean()) + 0.05


def test_without_text_it_is_not_tried() -> None:
    facts = Facts(rows=100, columns=2, task="classification", outputs=2, kinds=("number",))
    assert Words.unsuited(facts) and NbSvm.unsuited(facts)
    with_text = Facts(rows=100, columns=2, task="classification", outputs=2, kinds=("number", "text"))
    assert Words.unsuited(with_text) is None and NbSvm.unsuited(with_text) is None


@pytest.mark.parametrize("best", range(7))
def test_climbing_finds_the_lowest_of_a_valley(best: int) -> None:
    run = Run(seconds=30)
    found = climbed(
        [float(place) for place in range(7)], lambda strength: strength, lambda found: abs(found - best), run
    )
    assert found == best
    assert len(run.curve) <= 6 or best in (0, 1)


def test_the_kind_it_reads_exists() -> None:
    assert "text" in KINDS.names()
    assert SparseModel.answer is not None


def test_cheap_linear_models_come_before_trees_where_there_is_only_text() -> None:
    facts = {"rows": 1000, "columns": 1, "task": "classification", "outputs": 2}
    text = Facts(**facts, kinds=("text",), structured=0)
    table = Facts(**facts, kinds=("text", "number"), structured=1)
    first = {
        name: LEARNERS.get(name).presets_for(text)[0][0]
        for name in ("words", "nbsvm", "linear", "svm", "boosting")
    }
    assert sorted(first, key=lambda name: first[name]) == ["words", "nbsvm", "linear", "svm", "boosting"]
    assert Boosting.presets_for(table) == Boosting.presets
