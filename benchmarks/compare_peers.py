"""Put the results of all systems on the same splits side by side, as a page.

    python -m benchmarks.compare_peers RESULTS_FOLDER benchmarks/results/peers.md

Each result is one JSON that benchmarks/peers/run_all.py wrote. Ranks are over the systems of one table and budget, on
the metric all of them were told to optimise; a system without an answer is last.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

HIGHER_IS_BETTER = {"accuracy": True, "log_loss": False, "rmse": False}
SYSTEMS = ("fathometer", "autogluon", "flaml")


def read(folder: Path) -> pd.DataFrame:
    """One row per result."""
    return pd.DataFrame([_row(json.loads(path.read_text("utf-8"))) for path in sorted(folder.glob("*.json"))])


def _row(result: dict[str, Any]) -> dict[str, Any]:
    details = result.get("details") or {}
    alone = details.get("scores") or {}
    metric = result["metric"]
    return {
        "table": result["table"],
        "metric": metric,
        "budget": result["budget"],
        "system": result["system"],
        "version": result["version"],
        "score": result["scores"].get(metric),
        "classical": (alone.get("classical") or {}).get(metric),
        "deep": (alone.get("deep") or {}).get(metric),
        "wall": result["wall_seconds"],
        "cpu": result["cpu_seconds"],
        "other_cpu": result.get("other_cpu_seconds"),
        "answer": details.get("answer"),
        "in_learners": (details.get("cost") or {}).get("share_in_learners"),
        "peak_bytes": details.get("peak_bytes"),
        "error": result["error"],
    }


def ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a rank within their table and budget; 1 is best, ties share."""
    worst = rows["metric"].map(lambda name: -1e300 if HIGHER_IS_BETTER[name] else 1e300)
    signed = rows["score"].astype(float).fillna(worst) * rows["metric"].map(
        lambda name: -1.0 if HIGHER_IS_BETTER[name] else 1.0
    )
    return rows.assign(rank=signed.groupby([rows["table"], rows["budget"]]).rank(method="average"))


def page(rows: pd.DataFrame) -> str:
    """The results as Markdown."""
    parts = ["# Against AutoGluon and FLAML, same rows, same seconds, same two cores\n"]
    versions = rows.dropna(subset=["version"]).groupby("system")["version"].first()
    parts.append("Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".\n")
    for budget, several in rows.groupby("budget"):
        parts.append(_budget_part(float(str(budget)), several))
    return "\n".join(parts)


def _budget_part(budget: float, rows: pd.DataFrame) -> str:
    complete = rows.groupby("table").filter(lambda group: set(SYSTEMS) <= set(group["system"]))
    lines = [f"## {budget:g} seconds, {complete['table'].nunique()} tables\n"]
    lines.append("| table | metric | together | classical | deep | AutoGluon | FLAML | verdict |")
    lines.append("|---|---|---|---|---|---|---|---|")
    for (table, metric), group in complete.groupby(["table", "metric"]):
        by = group.set_index("system")
        ours = by.loc["fathometer"]
        best = group["rank"].min()
        cells = [_cell(by.loc[name, "score"], by.loc[name, "rank"] == best) for name in SYSTEMS]
        middle = [_cell(ours["classical"], False), _cell(ours["deep"], False)]
        lines.append(
            f"| {table} | {metric} | {cells[0]} | {' | '.join(middle)} | {cells[1]} | {cells[2]} | {ours['answer']} |"
        )
    means = complete.groupby("system")[["rank", "wall", "cpu"]].mean()
    lines.append("\n| system | mean rank | wall s, mean | wall s, worst | processor s, mean | no answer |")
    lines.append("|---|---|---|---|---|---|")
    for name in SYSTEMS:
        if name in means.index:
            mine = complete[complete["system"] == name]
            lines.append(
                f"| {name} | {means.loc[name, 'rank']:.2f} | {means.loc[name, 'wall']:.1f} | {mine['wall'].max():.1f} "
                f"| {means.loc[name, 'cpu']:.1f} | {int(mine['score'].isna().sum())} |"
            )
    ours = complete[complete["system"] == "fathometer"]
    if len(ours):
        lines.append(
            f"\nShare of fathometer's processor seconds inside learners: median {ours['in_learners'].median():.0%}, "
            f"least {ours['in_learners'].min():.0%}. Peak memory of a trial: {ours['peak_bytes'].max() / 1e6:.0f} MB.\n"
        )
    return "\n".join(lines)


def _cell(value: float, is_best: bool) -> str:
    if pd.isna(value):
        return "none"
    text = f"{value:.4g}" if value >= 1 else f"{value:.4f}"
    return f"**{text}**" if is_best else text


def main() -> None:
    """Read, rank, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    text = page(ranked(read(arguments.results)))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
