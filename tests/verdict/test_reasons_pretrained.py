"""What is said of a pre-trained model, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from evidences import ablation, contrast, evidence, full, pretrained, said, verdict
from outcomes import ENCODER, a_trial
from test_reasons import check_words

from fathometer.verdict.evidence import Evidence
from fathometer.verdict.reasons import find_reasons


def third(answer: str = "pretrained", **of_view: object) -> Evidence:
    return evidence(verdict=verdict(answer, pretrained=pretrained(**of_view)))  # type: ignore[arg-type]


def test_v108_says_by_how_much_the_pretrained_is_better() -> None:
    text = said("V108", third()) or ""
    assert "better than deep learning by 2 (95 % interval 1.5 to 2.5)" in text.replace(" points", "")
    assert said("V108", third("deep")) is None


def test_v406_is_said_where_classical_alone_has_features_to_leave_out() -> None:
    both = ablation(3.0, 0.2)
    alone = replace(both, families={"classical": both.families["classical"]})
    text = said("V406", _of_kinds(evidence(ablation=alone), "text", "image")) or ""
    assert text.startswith("Engineered features bring classical ML 3 points")
    assert said("V406", _of_kinds(evidence(ablation=both), "text")) is None
    assert said("V403", evidence(ablation=alone)) is None
    small = replace(alone, families={"classical": replace(both.families["classical"], low=0.1)})
    assert said("V406", _of_kinds(evidence(ablation=small), "text")) is None


@pytest.mark.parametrize("kinds", [(), ("number", "category"), ("number", "text")])
def test_v406_is_not_said_of_a_table_whose_other_pair_was_not_run(kinds: tuple[str, ...]) -> None:
    both = ablation(58.0, 0.2)
    alone = replace(both, families={"classical": both.families["classical"]})
    assert said("V406", _of_kinds(evidence(ablation=alone), *kinds)) is None


def _of_kinds(given: Evidence, *kinds: str) -> Evidence:
    """With columns of these kinds."""
    schema = {"columns": [{"name": f"c{place}", "kind": kind} for place, kind in enumerate(kinds)]}
    outcome = given.outcome
    return replace(given, outcome=replace(outcome, run={**outcome.run, "schema": schema}))


def test_v701_says_where_the_other_catches_up() -> None:
    text = said("V701", third(by_16=0.6)) or ""
    assert text.startswith(
        "Deep learning is behind the pre-trained model now and likely to catch up, near 9,000 rows"
    )
    assert said("V701", third(by_16=0.3)) is None
    assert said("V701", third(better=0.4, by_16=0.6)) is None
    assert said("V701", third(by_16=0.6, outlook=False)) is None


def test_v701_is_not_said_where_curves_cannot_be_extended() -> None:
    view = pretrained(0.9, 0.6)
    assert view.outlook is not None
    rough = replace(view, outlook=replace(view.outlook, obstacle="the curve of deep learning is not smooth"))
    assert said("V701", evidence(verdict=verdict("pretrained", pretrained=rough))) is None


def test_v702_is_said_where_it_stays_ahead() -> None:
    text = said("V702", third(by_16=0.08)) or ""
    assert "unlikely to catch up with the pre-trained model within 16 times the rows: P = 8 %" in text
    assert said("V702", third(by_16=0.4)) is None


@pytest.mark.parametrize(("gap", "words"), [(0.1, "it leads by 0.1"), (-2.0, "it is behind by 2 points (")])
def test_v703_is_said_where_it_brings_nothing(gap: float, words: str) -> None:
    view = pretrained(0.1, contrast=contrast(gap, 0.5, "deep", "pretrained"))
    text = said("V703", evidence(verdict=verdict("deep", pretrained=view))) or ""
    assert words in text and "P(better) = 10 %" in text
    assert said("V703", third()) is None
    assert said("V703", evidence()) is None


def test_v704_tells_licence_and_origin_or_that_they_are_unknown() -> None:
    text = said("V704", third()) or ""
    assert "Apache-2.0" in text and "a billion pairs of sentences" in text
    unknown = {**ENCODER, "licence": "", "learned_from": ""}
    text = said("V704", third(encoders=(unknown,))) or ""
    assert "does not say its licence" in text and "not known" in text
    assert said("V704", third("deep", better=0.3)) is None


def test_v705_says_that_the_encoders_training_is_not_counted() -> None:
    assert "90 MB" in (said("V705", third()) or "")
    assert said("V705", third("deep", better=0.3)) is None


def test_v706_is_said_where_it_did_not_finish() -> None:
    base = evidence()
    failed = a_trial("pretrained", "f0", status="failed", reason="out of memory")
    of = replace(
        base.outcome, families=("classical", "deep", "pretrained"), trials=(*base.outcome.trials, failed)
    )
    text = said("V706", replace(base, outcome=of)) or ""
    assert "did not finish every fold" in text and "out of memory" in text
    assert said("V706", base) is None


def test_what_is_of_the_two_alone_is_not_said_of_the_third() -> None:
    of = replace(full(), verdict=verdict("pretrained", pretrained=pretrained()))
    codes = {one.code for one in find_reasons(of)}
    assert not codes & {"V101", "V102", "V201", "V202", "V203", "V204", "V208", "V304"}
    assert {"V108", "V702", "V704", "V705"} <= codes


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a\nb\x1b[31m\u202e", "x" * 5_000, ""])
def test_what_an_encoder_says_of_itself_comes_through_as_plain_text(name: str) -> None:
    hostile = {**ENCODER, "name": name, "licence": name, "learned_from": name}
    found = find_reasons(third(encoders=(hostile,)))
    if len(name) < 100:
        check_words(found)
    assert all(one.sentence.isprintable() and len(one.sentence) < 1_500 for one in found)


def test_of_an_encoder_that_was_trained_in_the_run_nothing_is_hidden() -> None:
    own = {**ENCODER, "trained_here": True}
    assert said("V704", third(encoders=(own,))) is None
    assert said("V705", third(encoders=(own,))) is None
