"""Where questions are answered: never on the event loop, never more at a time than may wait, never mixed up."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from in_process import CLASSES, ROW, Answer, Asked, gated, reached, started, table

from fathometer.bundle import Bundle
from fathometer.bundle.asking import ask
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema
from fathometer.errors import MissingExtra
from fathometer.learner import LEARNERS, Run
from fathometer.serve.desk import ROW_BY_ROW, Desk
from fathometer.serve.limits import Limits
from fathometer.serve.question import Question, RefusedError
from fathometer.serve.settings import Settings


def answered(served: Asked, rows: list[dict[str, Any]]) -> functools.partial[Any]:
    return functools.partial(served.asking, "POST", "/predict", {"rows": rows})


def test_answers_are_those_of_the_model_to_the_last_bit(bundle: Bundle, served: Asked) -> None:
    frame = table(50, seed=3)
    reply = asyncio.run(served.desk.ask(Question(frame)))
    wanted = bundle.predict(frame)
    pd.testing.assert_frame_equal(reply.answers, wanted, check_exact=True)
    assert (reply.prediction == wanted[["probability_no", "probability_<b>yes"]].to_numpy()).all()
    assert reply.labels == ("no", "<b>yes")
    assert (reply.model, reply.version, reply.family) == (bundle.name, bundle.version, "classical")


def test_rows_are_named_by_the_clients_keys_or_by_request_and_place(served: Asked) -> None:
    frame = table(3)
    keyed = asyncio.run(served.desk.ask(Question(frame, request="mine", keys=("x", "y", "z"))))
    plain = asyncio.run(served.desk.ask(Question(frame, request="mine")))
    assert (keyed.row_ids, plain.row_ids) == (("x", "y", "z"), ("mine-0", "mine-1", "mine-2"))


def test_health_is_answered_while_the_model_works(bundle: Bundle) -> None:
    gate = gated(bundle)
    served = Asked(Desk(bundle))

    async def scene() -> tuple[Answer, Answer, Answer, Answer]:
        (task,) = await started([answered(served, [ROW])])
        await reached(gate)
        healthy = [await served.asking("GET", path) for path in ("/livez", "/readyz", "/metrics")]
        assert not task.done()
        gate.open.set()
        return (await task, *healthy)

    assert [answer.status for answer in asyncio.run(scene())] == [200] * 4


def test_one_question_too_many_is_told_to_come_again(bundle: Bundle) -> None:
    gate = gated(bundle)
    served = Asked(Desk(bundle, Settings(limits=Limits(waiting=3))))

    async def scene() -> list[Answer]:
        tasks = await started([answered(served, [ROW])] * 3)
        await reached(gate)
        refused = [await answered(served, [ROW])() for _ in range(2)]
        gate.open.set()
        return [*refused, *[await task for task in tasks], await answered(served, [ROW])()]

    answers = asyncio.run(scene())
    assert [answer.status for answer in answers] == [503, 503, 200, 200, 200, 200]
    assert answers[0].headers["retry-after"] == "1"


def test_after_the_deadline_a_question_is_given_up_and_one_that_waits_is_never_asked(bundle: Bundle) -> None:
    gate = gated(bundle)
    served = Asked(Desk(bundle, Settings(batch=False, limits=Limits(seconds=0.05))))

    async def scene() -> list[Answer]:
        late = [await task for task in await started([answered(served, [ROW])] * 3)]
        assert served.desk.under_way == 3  # what runs cannot be stopped, and counts until it is done
        gate.open.set()
        while served.desk.under_way:
            await asyncio.sleep(0.001)
        return late

    assert [answer.status for answer in asyncio.run(scene())] == [504, 504, 504]
    assert gate.calls == [1]


def test_small_questions_that_wait_are_answered_as_one_and_alike(bundle: Bundle) -> None:
    alone = Asked(Desk(bundle))
    rows = table(12, seed=5).to_dict("records")
    wanted = [alone.ask("POST", "/predict", {"rows": [row]}).json["rows"][0] for row in rows]
    gate = gated(bundle)
    served = Asked(Desk(bundle, Settings(batch=True, batch_rows=8)))

    async def scene() -> list[Answer]:
        first = await started([answered(served, rows[:1])])
        await reached(gate)
        others = await started([answered(served, [row]) for row in rows[1:]])
        gate.open.set()
        return [await task for task in [*first, *others]]

    got = [answer.json["rows"][0] for answer in asyncio.run(scene())]
    assert gate.calls == [1, 8, 3]
    assert [one["prediction"] for one in got] == [one["prediction"] for one in wanted]
    for one, other in zip(got, wanted, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-12)


def test_what_is_odd_about_one_question_is_told_to_no_other(bundle: Bundle) -> None:
    gate = gated(bundle)
    served = Asked(Desk(bundle, Settings(batch=True)))
    odd = ROW | {"age": "old"}
    other = {name: ROW[name] for name in ("age", "since")}

    async def scene() -> list[Answer]:
        first = await started([answered(served, [ROW])])
        await reached(gate)
        tasks = await started([answered(served, rows) for rows in ([ROW], [odd], [other], [ROW])])
        gate.open.set()
        return [await task for task in [*first, *tasks]]

    answers = asyncio.run(scene())
    assert [answer.status for answer in answers] == [200, 200, 200, 422, 200]
    assert [len(answer.json.get("notes", ())) for answer in answers] == [0, 0, 1, 0, 0]
    assert answers[2].json["bad"][0]["shown"] == "old"


def test_networks_and_what_answers_row_by_row_are_asked_together(bundle: Bundle) -> None:
    deep = replace(bundle, learners={"a-linear": "linear", "a-boosting": "mlp"})
    trees = replace(bundle, learners={"a-linear": "tree", "a-boosting": "boosting"})
    kernels = replace(bundle, learners={"a-linear": "linear", "a-boosting": "svm"})
    assert Desk(bundle)._largest == {"classical": 1_024, "baseline": 1_024}
    assert Desk(kernels)._largest["classical"] == 1
    assert Desk(deep)._largest["classical"] == 32
    assert Desk(trees)._largest["classical"] == 1_024
    assert Desk(deep, Settings(batch=False))._largest["classical"] == 1


@pytest.mark.parametrize("learner", sorted(ROW_BY_ROW))
def test_these_answer_rows_together_as_one_by_one_to_the_last_bit(learner: str) -> None:
    try:
        recipe = LEARNERS.get(learner)()
    except MissingExtra as error:
        pytest.skip(str(error))
    frame = table(150, seed=11)
    schema, _ = learn_schema(frame)
    read = schema.read(frame)
    rows = Rows(read.frame, read.kinds, np.arange(150) % 2)
    model = recipe.fit(rows.take(np.arange(100)), rows.take(np.arange(100, 150)), CLASSES, Run())
    together = model.predict(rows.take(np.arange(100, 132)))
    alone = [model.predict(rows.take(np.array([place]))) for place in range(100, 132)]
    assert (together == np.concatenate(alone)).all()


def test_our_own_faults_are_told_without_what_is_inside(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    gate = gated(bundle)
    gate.model = None  # type: ignore[assignment]
    gate.open.set()
    answer = Asked(Desk(bundle)).ask("POST", "/predict", {"rows": [ROW]})
    assert answer.status == 500
    assert "NoneType" not in answer.body.decode() and "Traceback" not in answer.body.decode()
    assert answer.json["request"] in caplog.text


@pytest.mark.parametrize(
    ("question", "status"),
    [
        (Question(table(2), family="nobody"), 404),
        (Question(table(2), on_bad="whatever"), 422),
        (Question(table(2), keys=("a",)), 422),
        (Question(table(2).drop(columns="age")), 422),
        (Question(table(2).assign(age="old"), on_bad="stop"), 422),
        (Question(table(11)), 413),
        (Question(pd.DataFrame(np.zeros((1, 31)))), 413),
    ],
)
def test_questions_that_cannot_be_answered_are_refused(
    bundle: Bundle, question: Question, status: int
) -> None:
    desk = Desk(bundle, Settings(limits=Limits(rows=10, columns=30)))
    with pytest.raises(RefusedError) as refusal:
        asyncio.run(desk.ask(question))
    assert refusal.value.status == status


def test_a_question_without_rows_has_an_answer_without_rows(served: Asked) -> None:
    reply = asyncio.run(served.desk.ask(Question(table(0))))
    assert len(reply.answers) == 0 and reply.row_ids == ()


def test_bad_rows_are_left_out_or_empty_as_asked(bundle: Bundle, served: Asked) -> None:
    frame = table(4)
    frame.loc[2, "since"] = "soon"
    skipped = asyncio.run(served.desk.ask(Question(frame, request="r", on_bad="skip")))
    emptied = asyncio.run(served.desk.ask(Question(frame, request="r", on_bad="null")))
    assert skipped.places.tolist() == [0, 1, 3] and skipped.row_ids == ("r-0", "r-1", "r-3")
    assert np.isnan(emptied.prediction[2]).all() and len(emptied.row_ids) == 4
    wanted = ask(bundle, frame.drop(index=2)).prediction
    assert (skipped.prediction == wanted).all()


def test_a_warm_desk_has_checked_its_golden_rows(bundle: Bundle) -> None:
    desk = Desk(bundle)
    desk.warm()
    assert desk.is_ready and b"fathometer_model_load_seconds" in desk.metrics.page()


def test_what_is_made_once_is_made_once(served: Asked) -> None:
    made: list[int] = []

    def make(desk: Desk) -> int:
        made.append(1)
        return len(made)

    assert [served.desk.once(make), served.desk.once(make)] == [1, 1]
