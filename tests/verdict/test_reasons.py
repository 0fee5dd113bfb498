"""Laws of all reasons. What each one says, and when, is in the test_reasons_... files, one per theme."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from evidences import ablation, curve, evidence, fairness, full, importance, simplicity, verdict
from test_decide import SITUATIONS
from test_pretrained import SITUATIONS as WITH_PRETRAINED

from fathometer.study.outcome import Outcome
from fathometer.verdict.axes import standings
from fathometer.verdict.decide import decide
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.reasons import REASONS, Reason, find_reasons

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "reasons"
ANSWERS = ("classical", "deep", "together", "tie", "no_signal", "cannot_tell", "pretrained")
ANSWERS += ("leaning_classical", "leaning_deep", "leaning_tie")
HEADINGS = ("What it says", "When it is said", "What it rests on", "What to do", "How it may be wrong")
BAD: tuple[Any, ...] = (None, math.nan, math.inf, -math.inf)
OPTIONAL = [field.name for field in fields(Evidence) if field.name not in ("outcome", "table", "verdict")]

each_reason = pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.code)


def test_every_reason_has_a_code_of_its_own() -> None:
    codes = [reason.code for reason in REASONS]
    assert len(set(codes)) == len(codes) >= 25
    assert codes == sorted(codes)
    assert all(re.fullmatch(r"V[1-9]\d\d", code) for code in codes)


@each_reason
def test_every_reason_has_a_page_with_its_title(reason: Reason) -> None:
    page = (PAGES / f"{reason.code}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {reason.code}: {reason.title}\n"), page[:100]
    for heading in HEADINGS:
        assert f"\n**{heading}.** " in page, heading
    assert f"\n*{reason.strength}*\n" in page
    assert 8 <= len(page.splitlines()) <= 30


@each_reason
def test_every_reason_has_a_test_of_its_name(reason: Reason) -> None:
    tests = "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_reasons*.py")
    )
    assert f"def test_{reason.code.lower()}_" in tests


@each_reason
def test_titles_are_one_line_that_is_no_sentence_with_numbers(reason: Reason) -> None:
    assert reason.title[0].isupper() and not reason.title.endswith(".")
    assert "\n" not in reason.title and "{" not in reason.title and len(reason.title) <= 80


def test_the_list_of_pages_names_every_reason_and_no_other() -> None:
    text = (PAGES / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(V\d{3})\]\(\1\.md\) \| (.+?) \| (\w+) \|$", text, re.MULTILINE)
    assert listed == [(reason.code, reason.title, reason.strength) for reason in REASONS]
    assert {page.stem for page in PAGES.glob("V*.md")} == {reason.code for reason in REASONS}


def test_what_decides_comes_first_then_what_supports_then_what_warns() -> None:
    found = find_reasons(full())
    strengths = [one.strength for one in found]
    assert strengths == sorted(strengths, key=["decides", "supports", "warns"].index)
    assert len(set(strengths)) == 3
    for strength in set(strengths):
        codes = [one.code for one in found if one.strength == strength]
        assert codes == sorted(codes)
    assert all(one.page == f"docs/reasons/{one.code}.md" for one in found)
    assert found == find_reasons(full())


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_is_explained_by_one_reason(answer: str) -> None:
    of_the_answer = [one for one in find_reasons(evidence(verdict=verdict(answer))) if one.code < "V200"]
    assert [one.strength for one in of_the_answer] == ["decides"]


@pytest.mark.parametrize(("of", "answer", "use", "words"), SITUATIONS, ids=[case[1] for case in SITUATIONS])
def test_every_real_verdict_is_explained_by_one_reason(
    of: Outcome, answer: str, use: str, words: str
) -> None:
    table = standings(of)
    found = find_reasons(Evidence(of, table, decide(of, table)))
    assert [one.code < "V200" for one in found].count(True) == 1
    check_words(found)


@pytest.mark.parametrize(("of", "answer", "words"), WITH_PRETRAINED)
def test_every_verdict_with_a_third_is_explained_by_one_reason(of: Outcome, answer: str, words: str) -> None:
    table = standings(of)
    found = find_reasons(Evidence(of, table, decide(of, table)))
    codes = [one.code for one in found if one.code < "V200"]
    assert len(codes) == 1 and (codes == ["V108"]) == (answer == "pretrained")
    check_words(found)


def test_a_run_that_finished_nothing_is_told_as_that() -> None:
    of = replace(evidence().outcome, results=dict.fromkeys(evidence().outcome.results, ()), trials=())
    table = {name: replace(one, score=None, members=0) for name, one in evidence().table.items()}
    found = find_reasons(Evidence(of, table, decide(of, table)))
    assert [one.code for one in found][:1] == ["V106"]
    check_words(found)


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("base", [full(), evidence()], ids=["full", "bare"])
def test_an_empty_part_is_no_trouble(base: Evidence, name: str) -> None:
    empty = getattr(evidence(), name)
    check_words(find_reasons(replace(base, **{name: empty})))
    check_words(find_reasons(replace(base, **{name: None if empty is None else type(empty)()})))


def test_empty_outcomes_and_tables_are_no_trouble() -> None:
    base = full()
    bare = replace(base.outcome, run={}, results={}, trials=())
    for changed in (
        replace(base, outcome=bare),
        replace(base, table={}),
        replace(base, outcome=bare, table={}),
        replace(base, verdict=replace(base.verdict, families=None, together=None, signal={})),
        replace(base, measures={"classical": {}, "deep": None}),  # type: ignore[dict-item]
        replace(base, measures={name: dict.fromkeys(part) for name, part in base.measures.items()}),
    ):
        for answer in ANSWERS:
            of = replace(changed, verdict=replace(changed.verdict, answer=answer, use=verdict(answer).use))
            check_words(find_reasons(of))


@pytest.mark.parametrize("name", [*OPTIONAL, "table", "verdict"])
def test_no_number_that_is_none_or_not_finite_is_written(name: str) -> None:
    base = full()
    for changed in spoiled(getattr(base, name)):
        check_words(find_reasons(replace(base, **{name: changed})))


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_answer_makes_spoiled_forecasts_written(answer: str) -> None:
    base = replace(full(), verdict=verdict(answer))
    for changed in spoiled(base.outlook):
        check_words(find_reasons(replace(base, outlook=changed)))


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "a\nb\x1b[31m\u202e",
        "'; DROP TABLE rows; --",
        "{0} %s %n",
        "x" * 5_000,
        "",
        "| **b** |",
    ],
)
def test_names_from_the_data_come_through_as_plain_text(name: str) -> None:
    base = full()
    outcome = replace(base.outcome, not_tried=((name, name),))
    outcome = replace(outcome, trials=(replace(outcome.trials[0], reason=name), *outcome.trials[1:]))
    probe = {
        **base.measures["deep"],
        **importance(**{name: 30.0, "b": 0.1, "c": 0.1}),
        "skipped": {name: "failed"},
    }
    rising = curve(behaviour="rising", note=name)
    changed = replace(
        base,
        outcome=outcome,
        measures={"deep": probe},
        curves={"classical": rising, "deep": rising},
        fairness=fairness(name, name, deep=0.2),
        simplicity=simplicity(0.0, title=name),
        ablation=ablation(3.0, 0.1),
    )
    found = find_reasons(changed)
    assert {"V206", "V402", "V504", "V605", "V607"} <= {one.code for one in found}
    for one in found:
        assert not re.search(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", one.sentence), one
        assert len(one.sentence) < 1_500, one.code
    if name.isprintable() and 0 < len(name) < 50:
        assert any(name in one.sentence.replace("\\'", "'") for one in found if one.code == "V402")


def test_evidence_is_not_changed_and_says_the_same_again() -> None:
    base = full()
    before = repr(base)
    assert find_reasons(base) == find_reasons(base)
    assert repr(base) == before


def check_words(found: Any) -> None:
    """What every sentence must keep."""
    for one in found:
        text = one.sentence
        assert not re.search(r"\bnan\b|\binf\b|None|e\+\d\d|  ", text), text
        assert not re.search(
            r"(?<![\d.,])1 (minutes|rows|folds|points|seconds|hours|learners|trials)\b", text
        ), text
        assert not re.search(r"= (0|100) %", text), text
        assert text[0].isupper() and text.endswith(".") and ".." not in text, text


def spoiled(value: Any) -> Iterator[Any]:
    """Copies of a record with one number in it bad."""
    if isinstance(value, bool | str) or value is None:
        return
    if isinstance(value, int | float):
        yield from BAD
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for changed in spoiled(getattr(value, field.name)):
                yield replace(value, **{field.name: changed})
    elif isinstance(value, Mapping):
        for key, item in value.items():
            for changed in [None, *spoiled(item)] if isinstance(item, Mapping | list) else spoiled(item):
                yield {**value, key: changed}
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            for changed in spoiled(item):
                yield type(value)([*value[:place], changed, *value[place + 1 :]])
