"""Results made by hand: everything measured, for classes and for numbers; nothing measured; hostile names."""

from __future__ import annotations

import math
from typing import Any

SIZES = (590, 1_170, 2_350, 4_700)

PROBES = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert`1`>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "`onmouseover=alert(1)`",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<iframe src=javascript:alert(1)>",
    "<a href='javascript:alert(1)'>click</a>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<math><mtext><script>alert(1)</script></mtext></math>",
    "<style>*{background:url(//evil.example)}</style>",
    "</style><script>alert(1)</script>",
    "<link rel=stylesheet href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example>",
    "<form action=//evil.example><input type=submit>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</table><script>alert(1)</script>",
    "</svg><script>alert(1)</script>",
    "<!--<script>alert(1)</script>-->",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "\u202egnp.exe\u202c",
    "\u2066hidden\u2069",
    "zero\u200bwidth\ufeff",
    "line\nbreak\r\nand\ttab",
    "\x1b[31mred\x1b[0m",
    "a|b|c",
    "| --- | --- |",
    "`code` ``more``",
    "**bold** __under__ ~~gone~~",
    "[link](https://evil.example)",
    "![image](https://evil.example/x.png)",
    "<https://evil.example>",
    "https://evil.example/path",
    "www.evil.example",
    "# heading",
    "- list",
    "1. list",
    "> quote",
    "    indented",
    "$(rm -rf /)",
    "'; DROP TABLE rows; --",
    '=HYPERLINK("//evil.example")',
    "@someone",
    "lone \ud800 surrogate",
    "Z" + "\u0351" * 60 + "algo",
    "n" * 5_000,
    "",
    " ",
    "العمود الأول",
    "👩‍👩‍👧‍👦 family",
]


def classification() -> dict[str, Any]:
    """Every field of a study of two classes, classical ahead."""
    return {
        **_circumstances("telco_churn.csv", 7_043, 19),
        "task": {
            "name": "classification",
            "target": "Churn",
            "metric": "accuracy",
            "margin": 0.5,
            "labels": ["No", "Yes"],
            "shares": [0.735, 0.265],
        },
        "metric": {
            "name": "accuracy",
            "unit": "%",
            "higher_is_better": True,
            "margin": 0.5,
            "gap_unit": "points",
        },
        "verdict": _verdict(),
        "table": _table({"classical": 80.8, "deep": 79.4, "together": 80.9, "baseline": 73.5}, 0.9),
        "curves": _curves(lambda n, top, fall: top - fall / math.sqrt(n / 590), "%"),
        "outlook": _outlook(),
        "minutes": _minutes(),
        "measures": _measures("%"),
        "calibration": _calibration(),
        "mistakes": {
            "competitors": {
                "classical": {"labels": ["No", "Yes"], "counts": [[4_680, 494], [858, 1_011]]},
                "deep": {"labels": ["No", "Yes"], "counts": [[4_590, 584], [866, 1_003]]},
                "together": {"labels": ["No", "Yes"], "counts": [[4_690, 484], [861, 1_008]]},
            },
            "agreement": {
                "both_right": 0.762,
                "only_classical": 0.046,
                "only_deep": 0.032,
                "both_wrong": 0.16,
            },
        },
        "fairness": _fairness(),
        **_common(),
    }


def regression() -> dict[str, Any]:
    """Every field of a study of numbers, deep learning ahead."""
    verdict = _verdict() | {
        "answer": "deep",
        "sentence": "Deep learning pays: P(better by more than 1 %) = 94 % at your 7,043 rows, ahead by 4.2 % "
        "(RMSE: classical ML 0.4412 [0.4301, 0.4523], deep learning 0.4231 [0.4102, 0.436]).",
        "p_deep": 0.94,
        "p_tie": 0.05,
        "p_classical": 0.01,
        "use": "deep",
        "families": _contrast("classical", "deep", 4.2, 1.8, 6.6, "%", 1.0),
        "together": _contrast("deep", "together", 0.4, -0.9, 1.7, "%", 1.0),
        "weak": ["only 6 districts, fewer than 10"],
    }
    bins = [
        {
            "predicted": 0.5 + 0.5 * k,
            "low": -0.5 - 0.1 * k,
            "median": 0.02 * k - 0.05,
            "high": 0.5 + 0.12 * k,
            "rows": 700,
        }
        for k in range(10)
    ]
    histogram = [
        {"from": -1 + 0.25 * k, "to": -0.75 + 0.25 * k, "rows": 1_500 - 300 * abs(k - 4)} for k in range(8)
    ]
    residuals = {"bins": bins, "histogram": histogram, "r2": 0.84}
    groups = [
        {
            "group": name,
            "rows": 800,
            "mean_error": [0.01 * k, 0.01 * k - 0.02, 0.01 * k + 0.02],
            "score": [0.44, 0.42, 0.46],
        }
        for k, name in enumerate(("coast", "inland"))
    ]
    fair = {"groups": groups, "differences": {"mean_error": [0.01, -0.02, 0.04]}}
    return {
        **_circumstances("houses.parquet", 7_043, 8),
        "task": {"name": "regression", "target": "MedianHouseValue", "metric": "rmse", "margin": 1.0},
        "metric": {"name": "rmse", "unit": "", "higher_is_better": False, "margin": 1.0, "gap_unit": "%"},
        "verdict": verdict,
        "table": _table({"classical": 0.4412, "deep": 0.4231, "together": 0.4215, "baseline": 1.154}, 0.011),
        "curves": _curves(
            lambda n, top, fall: 0.4 + 0.002 * fall + 0.02 * fall / math.sqrt(n / 590), "", is_deep_ahead=True
        ),
        "outlook": _mirrored(_outlook())
        | {
            "crossover": {
                "leader": "deep",
                "p_by": {"2": 0.05, "4": 0.2, "10": 0.5, "16": 0.62},
                "p_by_margin": {},
                "p_never": 0.38,
                "median_rows": 31_000,
                "low_rows": 12_000,
                "high_rows": 70_000,
                "overtook": {"rows": 700, "low": 590, "high": 1_100},
            },
        },
        "measures": _measures(""),
        "calibration": {},
        "mistakes": {
            "competitors": {
                "classical": residuals,
                "deep": residuals
                | {"r2": 0.86, "bins": [one | {"median": -0.1, "low": -0.6} for one in bins]},
            },
            "agreement": {},
        },
        "fairness": {
            "column": "area",
            "positive": None,
            "competitors": {"classical": fair, "deep": fair},
            "too_small": ["island"],
            "note": "",
        },
        **_common(),
    }


def nothing_measured() -> dict[str, Any]:
    """What a run leaves that ended before it could measure anything but the table."""
    whole = classification()
    kept = (
        "format",
        "created",
        "versions",
        "machine",
        "seed",
        "budget_seconds",
        "data",
        "task",
        "metric",
        "table",
    )
    bare = {key: whole[key] for key in kept}
    verdict = {
        "answer": "cannot_tell",
        "sentence": "Cannot tell on this budget: neither is ahead.",
        "p_deep": None,
        "p_tie": None,
        "p_classical": None,
        "use": "classical",
        "weak": [],
        "next_step": "",
    }
    empty = (
        "curves",
        "outlook",
        "minutes",
        "measures",
        "calibration",
        "mistakes",
        "fairness",
        "effort",
        "simplicity",
        "prices",
    )
    return bare | {"verdict": verdict} | dict.fromkeys(empty)


def _minutes() -> dict[str, Any]:
    """Classical ML ahead after five minutes, deep learning cut off and likely to overtake near fifteen."""

    def step(factor: float, gap: float, half: float, deep: float) -> dict[str, Any]:
        scores = {
            "classical": {"score": 80.8 + 0.1 * math.log2(factor), "low": 80.0, "high": 81.9},
            "deep": {"score": 79.4 + 0.8 * math.log2(factor), "low": 78.5, "high": 79.9 + math.log2(factor)},
        }
        ends = {"low": gap - half, "high": gap + half}
        moved = {"change": gap + 1.4, "change_low": gap + 1.4 - half, "change_high": gap + 1.4 + half}
        chances = {"p_deep": deep, "p_tie": 0.1, "p_classical": 0.9 - deep}
        return {
            "factor": factor,
            "seconds": 300 * factor,
            "gap": gap,
            **ends,
            **moved,
            **chances,
            "scores": scores,
        }

    learner = {"title": "TabM", "weight": 0.7, "done": 0.12, "gain": 0.14, "near": 1.0}
    reach = {"cut_off": 0.0, "promised": 0.0, "not_reached": 1, "is_over": False, "learners": []}
    return {
        "seconds": 300.0,
        "families": {
            "classical": reach,
            "deep": {**reach, "cut_off": 0.7, "promised": 1.2, "learners": [learner]},
        },
        "factors": [
            step(1, -1.4, 0.5, 0.02),
            step(2, -0.7, 0.9, 0.2),
            step(5, 0.2, 1.5, 0.4),
            step(25, 1.9, 2.6, 0.6),
        ],
        "turn": {"leader": "classical", "p_by": {"5": 0.5}, "seconds": 900.0, "low": 400.0, "high": None},
        "p_turned": 0.4,
        "measured": {
            name: [
                {"seconds": seconds, "score": score, "folds": 5}
                for seconds, score in zip((75.0, 150.0, 300.0), scores, strict=True)
            ]
            for name, scores in (("classical", (80.2, 80.6, 80.8)), ("deep", (76.0, 78.2, 79.4)))
        },
    }


def hostile(probe: str) -> dict[str, Any]:
    """The whole sample with this text in every place that holds text from people's data."""
    result = classification()
    result["data"]["origin"] = probe
    result["task"]["target"] = probe
    result["task"]["labels"] = [probe, "other"]
    result["understood"].append(f"Column {probe} was read.")
    result["left_out"][0] = {"name": probe, "reason": probe, "sentence": probe, "overrule": f"--keep {probe}"}
    result["findings"][0] |= {"code": probe, "sentence": probe, "columns": [probe]}
    result["verdict"] |= {"sentence": probe, "next_step": probe, "weak": [probe]}
    for name in ("classical", "deep", "together"):
        measures = result["measures"][name]
        measures["importance"][0]["column"] = probe
        measures["robustness"][0]["what"] = probe
        measures["surrogate"]["rules"][0] = probe
        measures["skipped"] = {probe: probe}
        result["mistakes"]["competitors"][name]["labels"][0] = probe
        result["fairness"]["competitors"][name]["groups"][0]["group"] = probe
        result["table"][name]["learners"] = [probe]
    result["fairness"] |= {"column": probe, "positive": probe, "too_small": [probe], "note": probe}
    result["effort"] |= {"by_hand": [f"--kind {probe}", probe], "automatic": [probe]}
    result["reasons"][0] |= {
        "code": probe,
        "title": probe,
        "sentence": probe,
        "page": probe,
        "strength": probe,
    }
    result["trials"][0] |= {"title": probe, "stage": probe, "status": probe, "reason": probe}
    result["trials"][0]["settings"] = {probe: probe}
    result["leaderboard"][0] |= {"title": probe, "learner": probe, "reason": probe}
    result["not_tried"] = [{"learner": probe, "why": probe}]
    result["curves"]["competitors"]["deep"]["note"] = probe
    result["curves"]["sentence"] = probe
    result["minutes"]["families"]["deep"]["learners"][0]["title"] = probe
    result["verdict"]["more_time"] = probe
    result["outlook"]["note"] = probe
    result["splits"] |= {"how": probe, "sentence": probe}
    result["machine"]["processor"] = probe
    result["versions"][probe] = probe
    result["metric"]["unit"] = probe if len(probe) < 40 else "%"
    result["simplicity"]["title"] = probe
    result["prices"] |= {"currency": probe, "note": probe}
    result["odds"]["source"] = probe
    result["ablation"]["sentence"] = probe
    result["folds"]["classical"][0]["members"] = {probe: 1.0}
    return result


def _circumstances(origin: str, rows: int, columns: int) -> dict[str, Any]:
    return {
        "format": 1,
        "created": "2026-11-20T14:07:54+00:00",
        "versions": {"fathometer": "0.1.0", "numpy": "2.4.6", "scikit-learn": "1.9.1", "torch": "2.13.0+cpu"},
        "machine": {
            "processor": "AMD EPYC",
            "architecture": "x86_64",
            "cores": 2,
            "allowed_cores": 2,
            "memory_bytes": 25_276_510_208,
            "system": "Linux 6.18",
            "python": "3.11.7",
        },
        "seed": 0,
        "budget_seconds": 300.0,
        "workers": 2,
        "cost": {"cpu_seconds": 551.2, "cpu_seconds_in_learners": 489.0, "share_in_learners": 0.887},
        "data": {"origin": origin, "table_rows": rows, "rows": rows, "columns": columns, "train_rows": 4_696},
        "understood": [
            "Read as utf-8, delimiter comma, no quoting.",
            "The target has 2 different values, so it is taken as classes.",
            "Judged by accuracy, because the rarest class has more than 10 % of the rows.",
        ],
        "left_out": [
            {
                "name": "customerID",
                "reason": "id",
                "sentence": "'customerID' is different in nearly every row, so nothing learned from it would hold.",
                "overrule": "--keep customerID",
            }
        ],
        "findings": [
            {
                "code": "id",
                "severity": "action",
                "sentence": "'customerID' is different in nearly every row. It is left out.",
                "columns": ["customerID"],
            },
            {
                "code": "duplicate_rows",
                "severity": "warning",
                "sentence": "40 rows have the same inputs as a row before them; equal rows are kept in one part.",
                "columns": [],
            },
        ],
        "splits": {
            "how": "random",
            "first": 5,
            "overlap": 0.2,
            "sentence": "on 5 of 5 folds, in each 4,696 rows to learn from, 939 to choose by and 1,408 only to judge",
        },
    }


def _contrast(
    first: str, second: str, gap: float, low: float, high: float, unit: str, margin: float
) -> dict[str, Any]:
    belief = {"above": 0.02, "within": 0.1, "below": 0.88, "positive": 0.03}
    return {
        "first": first,
        "second": second,
        "gap": gap,
        "low": low,
        "high": high,
        "unit": unit,
        "margin": margin,
        "belief": belief,
        "folds": 5,
    }


def _verdict() -> dict[str, Any]:
    return {
        "answer": "classical",
        "sentence": "Classical ML is enough: P(better by more than 0.5 points) = 88 % at your 7,043 rows, ahead by 1.4 "
        "points (accuracy: classical ML 80.8 % [79.9, 81.7], deep learning 79.4 % [78.5, 80.3]).",
        "p_deep": 0.02,
        "p_tie": 0.1,
        "p_classical": 0.88,
        "use": "classical",
        "weak": [],
        "next_step": "About 2,800 more rows would narrow the interval to half.",
        "signal": {"classical": 0.9999, "deep": 0.9998, "together": 0.9999},
        "families": _contrast("classical", "deep", -1.4, -2.3, -0.5, "points", 0.5),
        "together": _contrast("classical", "together", 0.1, -0.4, 0.6, "points", 0.5),
    }


def _table(scores: dict[str, float], half: float) -> dict[str, Any]:
    trials = {"classical": 197, "deep": 61, "together": 258, "baseline": 15}
    spent = {"classical": 236.4, "deep": 238.1, "together": 474.5, "baseline": 0.5}
    per_row = {"classical": 60.0, "deep": 227.5, "together": 290.1, "baseline": 1.7}
    size = {"classical": 3_853_159, "deep": 12_279_219, "together": 16_132_378, "baseline": 610}
    best = {
        "classical": [
            "boosted trees (CatBoost)",
            "additive curves (glass box)",
            "boosted trees (LightGBM)",
            "forest",
        ],
        "deep": ["ensemble of perceptrons (TabM)", "perceptron with embeddings"],
        "together": ["boosted trees (CatBoost)", "ensemble of perceptrons (TabM)"],
        "baseline": ["baseline (no input used)"],
    }
    return {
        name: {
            "name": name,
            "score": {"score": score, "low": score - half, "high": score + half, "fold_scores": [score] * 5},
            "trials": trials[name],
            "failed": 2 if name == "deep" else 0,
            "cut_short": 1 if name == "classical" else 0,
            "cpu_seconds": spent[name],
            "share_seconds": {"baseline": 0.0, "together": 480.0}.get(name, 240.0),
            "peak_bytes": 386_211_840 if name == "classical" else 391_753_728,
            "members": 15,
            "microseconds_per_row": per_row[name],
            "model_bytes": size[name],
            "best": best[name][0],
            "learners": best[name],
        }
        for name, score in scores.items()
    }


def _curves(score: Any, unit: str, *, is_deep_ahead: bool = False) -> dict[str, Any]:
    shapes = {"classical": (82.2, 4.1), "deep": (82.0, 7.2), "together": (82.5, 4.4)}
    if is_deep_ahead:
        shapes["classical"], shapes["deep"] = shapes["deep"], shapes["classical"]
    wide = 0.9 if unit else 0.012
    competitors = {}
    for name, (top, fall) in shapes.items():
        points = [
            {
                "rows": n,
                "divisor": 4_700 // n,
                "score": score(n, top, fall),
                "low": score(n, top, fall) - wide * (1 + 590 / n),
                "high": score(n, top, fall) + wide * (1 + 590 / n),
                "folds": 3,
            }
            for n in SIZES
        ]
        steps = [590 * (16 * 4_700 / 590) ** (k / 39) for k in range(40)]
        smooth = [
            {
                "rows": round(n),
                "score": score(n, top, fall),
                "low": score(n, top, fall) - wide * (0.5 + 0.35 * max(0.0, math.log2(n / 4_700))),
                "high": score(n, top, fall) + wide * (0.5 + 0.35 * max(0.0, math.log2(n / 4_700))),
            }
            for n in steps
        ]
        forecast = [
            {
                "factor": float(f),
                "rows": 4_700 * f,
                "score": score(4_700 * f, top, fall),
                "low": score(4_700 * f, top, fall) - wide * (0.5 + 0.35 * math.log2(f)),
                "high": score(4_700 * f, top, fall) + wide * (0.5 + 0.35 * math.log2(f)),
            }
            for f in (2, 4, 8, 16)
        ]
        competitors[name] = {
            "points": points,
            "forecast": forecast,
            "smooth": smooth,
            "gain_last_doubling": {"gain": 0.1 * fall, "low": 0.05 * fall, "high": 0.16 * fall},
            "gain_next_doubling": {"gain": 0.07 * fall, "low": -0.1, "high": 0.15 * fall},
            "rows_for_95_percent": 1_200 if name == "classical" else 2_400,
            "behaviour": "well",
            "still": "plateau" if name == "classical" else "rising",
            "note": "Only four sizes were measured." if name == "deep" else "",
        }
    sentence = "The smaller sizes were drawn inside each other from the same rows to learn from, on 3 folds."
    return {"competitors": competitors, "rows": 4_700, "sentence": sentence}


def _outlook() -> dict[str, Any]:
    chances = ((0.02, 0.1), (0.05, 0.2), (0.09, 0.31), (0.13, 0.4), (0.17, 0.45))
    factors = [
        {
            "factor": factor,
            "rows": 4_700 * factor,
            "p_deep": deep,
            "p_tie": tie,
            "p_classical": 1 - deep - tie,
            "gap": gap,
            "low": gap - 0.6,
            "high": gap + 0.6,
        }
        for factor, (deep, tie), gap in zip(
            (1, 2, 4, 8, 16), chances, (-1.4, -1.0, -0.7, -0.5, -0.3), strict=True
        )
    ]
    return {
        "factors": factors,
        "crossover": {
            "leader": "classical",
            "p_by": {"2": 0.03, "4": 0.08, "10": 0.15, "16": 0.2},
            "p_by_margin": {"2": 0.01, "4": 0.03, "10": 0.08, "16": 0.12},
            "p_never": 0.8,
            "median_rows": None,
            "low_rows": None,
            "high_rows": None,
            "overtook": None,
        },
        "disagreement": 0.1,
        "note": "The forecast of the gap is learned from many curves of other data.",
    }


def _mirrored(outlook: dict[str, Any]) -> dict[str, Any]:
    """With the families changed about."""
    factors = [
        step
        | {"p_deep": step["p_classical"], "p_classical": step["p_deep"]}
        | {"gap": -step["gap"], "low": -step["high"], "high": -step["low"]}
        for step in outlook["factors"]
    ]
    return outlook | {"factors": factors}


COLUMNS = (
    *(
        "Contract",
        "tenure",
        "MonthlyCharges",
        "InternetService",
        "TotalCharges",
        "PaymentMethod",
        "OnlineSecurity",
    ),
    *("TechSupport", "PaperlessBilling", "SeniorCitizen", "MultipleLines", "StreamingMovies", "gender"),
)


def _measures(unit: str) -> dict[str, Any]:
    base, step = (80.8, 1.0) if unit else (0.44, 0.01)
    changes = (
        ("10 % of cells missing", "missing_10", 0.6),
        ("30 % of cells missing", "missing_30", 2.3),
        ("noise of a tenth of the spread", "noise_10", 0.2),
        ("noise of three tenths of the spread", "noise_30", 1.1),
        ("rows least like those learned from", "shifted", 3.4),
    )
    found = {}
    for k, name in enumerate(("classical", "deep", "together")):
        times = (1.0, 1.9, 1.2)[k]
        found[name] = {
            "fold": "r0f0",
            "latency": {
                "one_row_ms": [(4.2, 11.3, 15.1)[k], (5.0, 13.9, 18.8)[k]],
                "thousand_rows_ms": [(31.0, 122.0, 151.0)[k], (40.0, 150.0, 190.0)[k]],
                "answers": 200,
                "bundle_members": 8,
            },
            "train_gap": {
                "train_score": base + 3 * step,
                "test_score": base,
                "gap": 3.1 * times,
                "rows": 4_696,
            },
            "importance": [
                {
                    "column": column,
                    "gap": 4.2 * times / (1 + position) - 0.25,
                    "low": 4.2 * times / (1 + position) - 0.8,
                    "high": 4.2 * times / (1 + position) + 0.3,
                }
                for position, column in enumerate(COLUMNS)
            ],
            "stability": 0.91 - 0.1 * k,
            "robustness": [
                {
                    "what": what,
                    "code": code,
                    "score": base - loss * times * step,
                    "loss_of_score": loss * times,
                    "low": loss * times - 0.35,
                    "high": loss * times + 0.35,
                }
                for what, code, loss in changes
            ],
            "surrogate": {
                "leaves": 12,
                "depth": 4,
                "fidelity": 0.93 - 0.05 * k,
                "low": 0.91 - 0.05 * k,
                "high": 0.945 - 0.05 * k,
                "score": base - step,
                "rules": [
                    "Contract = two years: No (1,695 rows)",
                    "tenure > 17 and Contract = month: No (1,020 rows)",
                ],
            },
            "skipped": {"importance of texts": "out of time"} if name == "deep" else {},
        }
    return found


def _calibration() -> dict[str, Any]:
    found = {}
    for k, name in enumerate(("classical", "deep", "together")):
        bins = [
            {
                "predicted": 0.03 + 0.065 * j,
                "observed": 0.03 + 0.065 * j * (1 - 0.1 * k) + 0.01 * (-1) ** j,
                "rows": 470,
            }
            for j in range(15)
        ]
        found[name] = {
            "brier": 0.134 + 0.01 * k,
            "log_loss": 0.412 + 0.03 * k,
            "ece": 0.012 + 0.022 * k,
            "temperature": 1.02 + 0.3 * k,
            "ece_after": 0.011 + 0.003 * k,
            "log_loss_after": 0.411 + 0.012 * k,
            "bins": bins,
        }
    return found


def _fairness() -> dict[str, Any]:
    competitors = {}
    for k, name in enumerate(("classical", "deep", "together")):
        groups = [
            {
                "group": group,
                "rows": rows,
                "selection_rate": [rate, rate - 0.02, rate + 0.02],
                "tpr": [rate + 0.3, rate + 0.26, rate + 0.34],
                "fpr": [rate - 0.1, rate - 0.12, rate - 0.08],
                "score": [80.1 + k, 78.8 + k, 81.4 + k],
            }
            for group, rows, rate in (("female", 3_488, 0.21 + 0.02 * k), ("male", 3_555, 0.225 + 0.01 * k))
        ]
        competitors[name] = {
            "groups": groups,
            "differences": {
                "selection_rate": [0.015, -0.012, 0.042],
                "tpr": [0.04, 0.01, 0.07],
                "fpr": [0.02, 0.0, 0.04],
            },
        }
    return {
        "column": "gender",
        "positive": "Yes",
        "competitors": competitors,
        "too_small": ["unknown"],
        "note": "",
    }


def _common() -> dict[str, Any]:
    recipes = [
        ("classical", "catboost", "boosted trees (CatBoost)", 0.4221, 21.6, 5),
        ("classical", "additive", "additive curves (glass box)", 0.4243, 6.1, 5),
        ("classical", "boosting", "boosted trees (LightGBM)", 0.4279, 3.3, 3),
        ("classical", "linear", "linear model", 0.4301, 0.4, 0),
        ("classical", "forest", "forest of random trees", 0.4372, 9.9, 0),
        ("classical", "svm", "support vector machine", 0.4465, 14.4, 0),
        ("deep", "tabm", "ensemble of perceptrons (TabM)", 0.4262, 81.0, 5),
        ("deep", "mlp", "perceptron with embeddings", 0.4299, 33.5, 5),
        ("deep", "resnet", "residual network", 0.4355, 40.2, 0),
        ("deep", "nca", "neighbours in a learned space (ModernNCA)", 0.4281, 55.0, 4),
    ]
    board = [
        {
            "family": family,
            "learner": learner,
            "title": title,
            "recipe": f"{learner} {{}}",
            "folds": 5,
            "failed": 0,
            "reason": "",
            "valid_loss": loss,
            "cpu_seconds": spent,
            "fit_seconds": 0.8 * spent,
            "chosen": chosen,
        }
        for family, learner, title, loss, spent, chosen in recipes
    ]
    trials = [
        {
            "family": family,
            "title": title,
            "fold": f"r0f{fold}",
            "stage": "presets",
            "status": "failed" if (learner, fold) == ("resnet", 3) else "done",
            "reason": "out of memory" if (learner, fold) == ("resnet", 3) else "",
            "cpu_seconds": spent / 5,
            "valid_loss": None if (learner, fold) == ("resnet", 3) else loss + 0.002 * fold,
            "settings": {"depth": 6, "rate": 0.0311234},
        }
        for family, learner, title, loss, spent, _ in recipes
        for fold in range(5)
    ]
    search = [1 / (k + 1) for k in range(25)]
    budgets = [
        {
            "share": share,
            "seconds": 300 * share,
            "answer": answer,
            "sentence": sentence,
            "p_deep": deep,
            "p_tie": tie,
            "p_classical": 1 - deep - tie,
            "folds": folds,
        }
        for share, answer, sentence, deep, tie, folds in (
            (0.25, "leaning_classical", "Leaning to classical ML: P = 64 %.", 0.08, 0.28, 2),
            (0.5, "leaning_classical", "Leaning to classical ML: P = 77 %.", 0.05, 0.18, 3),
            (1.0, "classical", "Classical ML is enough: P = 88 %.", 0.02, 0.1, 5),
        )
    ]
    return {
        "effort": {
            "by_hand": ["--kind zip=category"],
            "automatic": [
                "The metric was chosen by the size of the rarest class.",
                "19 columns were given a kind.",
            ],
            "families": {
                "classical": {
                    "trials": 197,
                    "recipes": 38,
                    "trials_to_one_percent": 3,
                    "curve": [0.42 + 0.03 * part for part in search],
                    "spread": 5.1,
                },
                "deep": {
                    "trials": 61,
                    "recipes": 12,
                    "trials_to_one_percent": 9,
                    "curve": [0.42 + 0.08 * part for part in search[:12]],
                    "spread": 12.4,
                },
            },
        },
        "simplicity": {
            "title": "additive curves (glass box)",
            "score": 80.4,
            "low": 79.5,
            "high": 81.3,
            "price": 0.4,
            "price_low": -0.1,
            "price_high": 0.9,
            "columns": 14,
        },
        "prices": {
            "currency": "USD",
            "rate_per_core_hour": 0.05,
            "watts_per_core": 10,
            "families": {
                name: {
                    "cpu_hours": hours,
                    "price": 0.05 * hours,
                    "watt_hours": 10 * hours,
                    "watt_hours_low": 5 * hours,
                    "watt_hours_high": 15 * hours,
                    "measured": False,
                    "price_per_million_answers": million,
                }
                for name, hours, million in (
                    ("classical", 0.0657, 0.0008),
                    ("deep", 0.0661, 0.0032),
                    ("together", 0.1318, 0.004),
                )
            },
            "note": "Energy is an estimate from processor time, good to about half of it.",
        },
        "ablation": {
            "divisor": 2,
            "folds": 3,
            "families": {
                "classical": {
                    "title": "boosted trees",
                    "engineered": 80.2,
                    "raw": 79.6,
                    "gain": 0.6,
                    "low": 0.1,
                    "high": 1.1,
                },
                "deep": {
                    "title": "perceptron",
                    "engineered": 78.9,
                    "raw": 78.8,
                    "gain": 0.1,
                    "low": -0.5,
                    "high": 0.7,
                },
            },
            "sentence": "Measured at half of the rows on 3 folds, with the same seeds.",
        },
        "budgets": budgets,
        "odds": {
            "p_deep": 0.17,
            "p_tie": 0.46,
            "p_classical": 0.37,
            "source": "curves of 265 tables of other data.",
        },
        "reasons": [
            {
                "code": "V101",
                "title": "The difference is more than the margin",
                "sentence": "Classical ML is better by 1.4 points, and the interval leaves out zero.",
                "strength": "decides",
                "page": "docs/reasons/V101.md",
            },
            {
                "code": "V140",
                "title": "More rows are unlikely to change it",
                "sentence": "Deep learning would not overtake within 16 times the rows: 80 %.",
                "strength": "supports",
                "page": "docs/reasons/V140.md",
            },
            {
                "code": "V210",
                "title": "Deep learning suffers more from missing cells",
                "sentence": "With 30 % of cells missing it loses 4.4 points, classical ML 2.3.",
                "strength": "warns",
                "page": "docs/reasons/V210.md",
            },
        ],
        "trials": trials,
        "leaderboard": board,
        "not_tried": [{"learner": "boosted trees (CatBoost)", "why": "its package is not installed"}],
        "folds": {
            name: [
                {
                    "fold": f"r0f{k}",
                    "rows": 1_408,
                    "loss": 0.19 + 0.002 * k,
                    "members": {f"r0f{k}-catboost-2d589327": 1.0},
                }
                for k in range(5)
            ]
            for name in ("baseline", "classical", "deep", "together")
        },
    }
