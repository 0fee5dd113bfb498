"""Acceptance on words and pictures: known results of single learners at four sizes, and whole studies."""

import gzip
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import fathometer as fm
from benchmarks.checks import DATA, Check, in_time, run, score
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema
from fathometer.learner import LEARNERS, Run
from fathometer.task import Task
from fathometer.tasks.classification import Classification

SIZES_OF_PICTURES = (250, 1_000, 4_000, 12_000)
SIZES_OF_TEXTS = (250, 1_000, 4_000, 6_000)
TESTED_PICTURES, TESTED_TEXTS = 4_000, 1_600
VALIDATION_SHARE = 0.2
FIT_SECONDS = 150.0

HOG_AND_SVM = {250: 79.2, 1_000: 84.3, 4_000: 87.7, 12_000: 89.3}
PLAIN_CNN = {250: 77.4, 1_000: 85.1, 4_000: 88.1, 12_000: 89.7}
TFIDF_AND_LINEAR = {250: 73.9, 1_000: 84.4, 4_000: 87.1, 6_000: 87.9}
"""Measured once with plain scripts of the same methods on the same rows: accuracy in per cent."""


def fashion_learners() -> list[Check]:
    """Gradient histograms with an SVM against a convolutional network, at four sizes of Fashion-MNIST."""
    pixels, labels = fashion("train")
    asked, truth = fashion("t10k")
    found: dict[str, dict[int, float]] = {"svm": {}, "cnn": {}}
    for name, scores in found.items():
        for size in SIZES_OF_PICTURES:
            frame = pd.DataFrame({"picture": list(pixels[:size])})
            tested = pd.DataFrame({"picture": list(asked[:TESTED_PICTURES])})
            scores[size] = accuracy(
                name, frame, labels[:size], tested, truth[:TESTED_PICTURES], {"picture": "image"}
            )
    checks = [
        at_size(
            f"Fashion-MNIST, {size:,} pictures: {title}",
            known[size],
            found[name][size],
            2.5 if size == 250 else 1.2,
        )
        for name, title, known in (
            ("svm", "engineered features, kernel SVM", HOG_AND_SVM),
            ("cnn", "convolutional network", PLAIN_CNN),
        )
        for size in SIZES_OF_PICTURES
    ]
    plain = [found["cnn"][size] - HOG_AND_SVM[size] for size in SIZES_OF_PICTURES]
    ours = [found["cnn"][size] - found["svm"][size] for size in SIZES_OF_PICTURES]
    return [
        *checks,
        Check(
            "Fashion-MNIST: where the network overtakes plain gradient histograms with an SVM",
            "250 to 1,500 pictures",
            told(crossing(SIZES_OF_PICTURES, plain), plain),
            (crossing(SIZES_OF_PICTURES, plain) or 1e9) <= 1_500,
        ),
        Check(
            "Fashion-MNIST: where the network overtakes this product's classical side",
            "shown",
            told(crossing(SIZES_OF_PICTURES, ours), ours),
            True,
        ),
    ]


def told(crossover: float | None, gaps: list[float]) -> str:
    """Where, and the gaps in points at the sizes."""
    where = f"near {crossover:,.0f}" if crossover else "nowhere up to the largest"
    return f"{where}; gaps {', '.join(f'{gap:+.1f}' for gap in gaps)}"


def news_learners() -> list[Check]:
    """Words with a linear model against networks from scratch and a pre-trained encoder, at four sizes of AG News."""
    frame = news()
    order = np.random.default_rng(0).permutation(len(frame))
    tested, rest = order[:TESTED_TEXTS], order[TESTED_TEXTS:]
    labels = frame["topic"].to_numpy()
    found: dict[str, dict[int, float]] = {}
    for name in ("words", "words and letters", "nbsvm", "bag", "textcnn", "attention", "frozen"):
        for size in SIZES_OF_TEXTS:
            some = rest[:size]
            found.setdefault(name, {})[size] = accuracy(
                name.partition(" ")[0],
                frame.loc[some, ["text"]],
                labels[some],
                frame.loc[tested, ["text"]],
                labels[tested],
                {"text": "text"},
                {"letters": 5} if "letters" in name else None,
            )
    linear = {
        size: max(found[name][size] for name in ("words", "words and letters", "nbsvm"))
        for size in SIZES_OF_TEXTS
    }
    scratch = {
        size: max(found[name][size] for name in ("bag", "textcnn", "attention")) for size in SIZES_OF_TEXTS
    }
    checks = [
        at_size(f"AG News, {size:,} texts: n-grams, linear model", TFIDF_AND_LINEAR[size], linear[size], 1.5)
        for size in SIZES_OF_TEXTS
    ]
    checks += [
        Check(
            f"AG News, {size:,} texts: n-grams ahead of networks from scratch",
            "at every size",
            f"{linear[size]:.1f} against {scratch[size]:.1f}",
            linear[size] >= scratch[size],
        )
        for size in SIZES_OF_TEXTS
    ]
    checks += [
        Check(
            f"AG News, {size:,} texts: frozen pre-trained encoder",
            "ahead of n-grams below about 1,000" if size <= 1_000 else "shown",
            f"{found['frozen'][size]:.1f} against {linear[size]:.1f}",
            size > 1_000 or found["frozen"][size] > linear[size],
        )
        for size in SIZES_OF_TEXTS
    ]
    return checks


def flowers() -> list[Check]:
    """A zip of photographs, and nothing said but the file."""
    study, seconds = run(str(DATA / "images" / "flowers128.zip"), None, 180)
    told = {finding["code"] for finding in study.outcome.run["findings"]}
    return [
        *shown("flowers128.zip, 180 s", study),
        Check(
            "flowers: doubled pictures found",
            "near_duplicates",
            ", ".join(sorted(told)),
            "near_duplicates" in told,
        ),
        in_time("flowers, 180 s", study, seconds),
    ]


def fashion_long() -> list[Check]:
    """All 60,000 training pictures of Fashion-MNIST in ten minutes."""
    study, seconds = run(str(DATA / "images" / "fashion_mnist"), None, 600)
    classical, deep = score(study, "classical"), score(study, "deep")
    return [
        Check("Fashion-MNIST, 600 s: best classical", ">= 89", f"{classical:.2f}", classical >= 89.0),
        Check("Fashion-MNIST, 600 s: best deep", ">= 91", f"{deep:.2f}", deep >= 91.0),
        *shown("Fashion-MNIST, 600 s", study),
        in_time("Fashion-MNIST, 600 s", study, seconds),
    ]


def sms() -> list[Check]:
    """Messages in a file without a header."""
    study, seconds = run(
        str(DATA / "text" / "SMSSpamCollection.tsv"), first_column("SMSSpamCollection.tsv"), 90
    )
    return [*shown("SMS spam, 90 s", study), in_time("SMS spam, 90 s", study, seconds)]


def tweets() -> list[Check]:
    """Tweets to airlines; the columns that give the answer away must be found."""
    study, seconds = run(str(DATA / "text" / "airline_tweets.csv"), "airline_sentiment", 120)
    left = {item["name"] for item in study.outcome.run["left_out"] if item["reason"] == "leak"}
    best = max(score(study, name) for name in study.outcome.results)
    return [
        *shown("airline tweets, 120 s", study),
        Check(
            "airline tweets: leak found", "negativereason", ", ".join(sorted(left)), "negativereason" in left
        ),
        Check("airline tweets: best accuracy", "77 to 86", f"{best:.2f}", 77 <= best <= 86),
        in_time("airline tweets, 120 s", study, seconds),
    ]


def imdb() -> list[Check]:
    """Film reviews: long texts."""
    study, seconds = run(str(DATA / "text" / "imdb" / "imdb_train_10k.csv.gz"), "sentiment", 300)
    classical = score(study, "classical")
    return [
        Check(
            "IMDB, 10,000 reviews, 300 s: best classical",
            "86 to 90",
            f"{classical:.2f}",
            85.5 <= classical <= 91,
        ),
        *shown("IMDB, 300 s", study),
        in_time("IMDB, 300 s", study, seconds),
    ]


def shown(name: str, study: fm.Study) -> list[Check]:
    """What a study answered: for the page, not to be passed or failed."""
    scores = ", ".join(f"{one} {score(study, one):.2f}" for one in study.outcome.results)
    return [Check(f"{name}: answer", "shown", f"{study.verdict.answer} ({scores})", study.outcome.folds > 0)]


def at_size(name: str, known: float, got: float, tolerance: float) -> Check:
    """Not worse than is known of the method; better is welcome."""
    return Check(name, f"{known} (-{tolerance}) or better", f"{got:.1f}", got >= known - tolerance)


def accuracy(
    name: str,
    frame: pd.DataFrame,
    labels: npt.NDArray[np.str_],
    asked: pd.DataFrame,
    truth: npt.NDArray[np.str_],
    kinds: Mapping[str, str],
    settings: Mapping[str, Any] | None = None,
) -> float:
    """Per cent of the asked rows that a learner answers rightly, a fifth of its rows kept for validation.

    settings: those of its first preset unless given.
    """
    schema, _ = learn_schema(frame, kinds=kinds)
    names = sorted(set(labels) | set(truth))
    codes = {label: code for code, label in enumerate(names)}
    shares = tuple(float((labels == label).mean()) for label in names)
    task: Task = Classification("label", "accuracy", 0.5, tuple(map(str, names)), shares)
    rows = Rows(
        schema.read(frame.reset_index(drop=True)).frame,
        schema.kinds,
        np.array([codes[one] for one in labels]),
    )
    order = np.random.default_rng(1).permutation(len(rows))
    cut = int(VALIDATION_SHARE * len(rows))
    valid, train = rows.take(np.sort(order[:cut])), rows.take(np.sort(order[cut:]))
    presets = LEARNERS.get(name).presets
    chosen = dict(
        min(presets, key=lambda preset: preset[0])[1] if settings is None and presets else settings or {}
    )
    model = LEARNERS.get(name)(**chosen).fit(train, valid, task, Run(seed=0, seconds=FIT_SECONDS, threads=1))
    answers = model.predict(schema.read(asked.reset_index(drop=True))).argmax(axis=1)
    return 100.0 * float((answers == np.array([codes[one] for one in truth])).mean())


def crossing(sizes: tuple[int, ...], gaps: list[float]) -> float | None:
    """The first size, between two measured ones on the logarithm, from which the gap is above zero and stays there."""
    if gaps[-1] <= 0:
        return None
    last = max((place for place, gap in enumerate(gaps) if gap <= 0), default=None)
    if last is None:
        return float(sizes[0])
    part = -gaps[last] / (gaps[last + 1] - gaps[last])
    return float(np.exp(np.interp(part, [0, 1], np.log([sizes[last], sizes[last + 1]]))))


@cache
def fashion(part: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.str_]]:
    """(pictures, 28, 28) and their labels as text; by a plain reader of its own."""
    folder = DATA / "images" / "fashion_mnist"
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as stream:
        pixels = np.frombuffer(stream.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as stream:
        labels = np.frombuffer(stream.read(), np.uint8, offset=8)
    return pixels, labels.astype(np.str_)


def news() -> pd.DataFrame:
    """AG News' 7,600 texts: title and description joined."""
    columns = ["topic", "title", "body"]
    frame = pd.read_csv(DATA / "text" / "ag_news" / "test.csv", names=columns, dtype=str)
    return pd.DataFrame({"text": frame["title"] + ". " + frame["body"], "topic": frame["topic"]})


def first_column(name: str) -> str:
    """What the first column of a file without a header is called here."""
    return str(fm.inspect(str(DATA / "text" / name)).schema.names[0])


RAW_CHECKS: tuple[Callable[[], list[Check]], ...] = (
    fashion_learners,
    news_learners,
    flowers,
    sms,
    tweets,
    imdb,
    fashion_long,
)
