"""Fit the gap forecast and the odds to LCDB 1.1 and print how good they are on families of data sets left out.

    python -m benchmarks.fit_gaps            # judge by five-fold cross-validation, then fit to everything and write
    python -m benchmarks.fit_gaps --judge    # judge only

Needs the development data (see gap_curves.py) and torch; writes src/fathometer/verdict/gap.json and odds.json.
About ten minutes on one core. The figures are those of score_gaps.py, averaged over draws of the noise.
"""

import argparse
import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from benchmarks.gap_curves import (
    SPLITS,
    Runs,
    Tables,
    curve_lines,
    fitting_runs,
    folds,
    judged_runs,
    path_runs,
    read_curves,
    relative_runs,
)
from fathometer.verdict.curve import Point, fit_curve
from fathometer.verdict.gap import Mixture, shares
from fathometer.verdict.gap_inputs import STEPS

Array = NDArray[np.float64]

VERDICT = Path(__file__).resolve().parents[1] / "src" / "fathometer" / "verdict"
SOURCE = (
    "Fitted by benchmarks/fit_gaps.py to LCDB 1.1 (Yan, Mohr & Viering 2025, learning-curve-research/LCDB-1.1, "
    "CC BY 4.0), {sets} data sets; changed: family envelopes, simulated repeats, coefficients only."
)
FOLDS = 5
MARGIN = 0.5  # points
# Points; asked for in fitting, so that any margin of this order is answered well. The first stands for the sign.
MARGINS = (0.02, 0.2, 0.5, 1.0, 2.0)
MARGIN_WEIGHTS = (0.6, 0.5, 1.0, 0.5, 0.3)
GAPS = 6
BATCH = 512


@dataclass(frozen=True)
class Recipe:
    """How one group of engines is fitted."""

    group: int  # 0 linear, 1 networks
    when: str  # see gap.shares
    factors: tuple[float, float]  # learned from
    hidden: tuple[int, ...]
    parts: int
    heavy: bool
    members: int
    steps: int
    rate: float
    dropout: float
    decay: float
    share: float  # of the group in the average


RECIPES = (
    Recipe(0, "always", (1.0, 16.0), (), 1, True, 1, 1200, 3e-3, 0.15, 3e-3, 0.1),
    Recipe(1, "now", (1.0, 1.6), (16, 16), 3, False, 4, 900, 3e-3, 0.05, 1e-4, 0.9),
    Recipe(1, "later", (2.8, 16.0), (16, 16), 3, False, 4, 900, 3e-3, 0.1, 3e-3, 0.9),
)


class Engines(torch.nn.Module):
    """Several small networks side by side: (engines, runs, context) to the parts of the gap's distribution."""

    def __init__(self, count: int, inputs: int, recipe: Recipe, seed: int) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        self.recipe = recipe
        outputs = GAPS + 3 * recipe.parts
        widths = (inputs, *recipe.hidden, outputs)
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        for layer, (before, after) in enumerate(itertools.pairwise(widths)):
            size = (0.01 if layer == len(widths) - 2 else 1.0) / math.sqrt(before)
            self.weights.append(
                torch.nn.Parameter(size * torch.randn(count, before, after, generator=random))
            )
            self.biases.append(torch.nn.Parameter(torch.zeros(count, 1, after)))
        with torch.no_grad():  # begin near a sensible average of the gaps, with parts of different width
            self.biases[-1][..., :GAPS] = torch.tensor([0.3, 0.1, 0.0, 0.0, 0.2, 0.2])
            if recipe.parts > 1:
                scales = torch.linspace(-1.0, 0.6, recipe.parts)
                self.biases[-1][..., GAPS + recipe.parts : GAPS + 2 * recipe.parts] = scales

    def forward(
        self, context: torch.Tensor, gaps: torch.Tensor, rough: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Log weight, middle and scale of the parts: (engines, runs, parts) each. The twin of gap._run."""
        hidden, parts = context, self.recipe.parts
        if self.training and self.recipe.dropout:
            keep = torch.rand_like(hidden) > self.recipe.dropout
            hidden = hidden * keep / (1.0 - self.recipe.dropout)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            hidden = torch.tanh(hidden) if layer < len(self.weights) - 1 else hidden
        gates, shift, scale, chance = torch.split(hidden, [GAPS, parts, parts, parts], dim=-1)
        middle = (gates * gaps).sum(-1, keepdim=True) + shift * rough[..., None]
        scale = 0.02 + 0.6 * rough[..., None] * torch.exp(scale.clamp(-4.0, 4.0))
        return torch.log_softmax(chance, -1), middle, scale


def loss(
    engines: Engines, parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor], gap: torch.Tensor
) -> torch.Tensor:
    """Log-loss of the three outcomes at several margins, and a little of the density's, summed over the engines."""
    weight, middle, scale = parts
    total = torch.zeros_like(gap)
    for margin, importance in zip(MARGINS, MARGIN_WEIGHTS, strict=True):
        below = [_below(engines.recipe.heavy, parts, bound) for bound in (-margin, margin)]
        outcome = torch.where(
            gap > margin, 1.0 - below[1], torch.where(gap < -margin, below[0], below[1] - below[0])
        )
        total = total - importance * torch.log(0.998 * outcome + 0.002 / 3)
    z = (gap[..., None] - middle) / scale
    if engines.recipe.heavy:
        density = math.log(2.0 / (math.pi * math.sqrt(3.0))) - 2.0 * torch.log1p(z * z / 3.0)
    else:
        density = -z.abs() - 2.0 * torch.nn.functional.softplus(-z.abs())
    total = total - 0.15 * torch.logsumexp(weight + density - torch.log(scale), -1).clamp(min=-12.0)
    return total.mean(1).sum()


def fit(
    runs: Runs, left_out: list[NDArray[np.bool_]], recipe: Recipe, seed: int
) -> tuple[Engines, Array, Array]:
    """Fit `members` engines for every element of `left_out`, the runs not to be learned from.

    Returns them with the centre and width of the context.
    """
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    context = runs.inputs.context
    centre, width = context.mean(axis=0), context.std(axis=0) + 1e-3
    columns = [((context - centre) / width).clip(-6.0, 6.0), runs.inputs.gaps, runs.inputs.rough, runs.gap]
    tensors = [torch.tensor(column, dtype=torch.float32) for column in columns]
    # A set with many sizes has many runs, which say less each: weight by the square root of their number.
    weight = runs.weight / np.sqrt(np.bincount(runs.data_set))[runs.data_set]
    weight = weight * (runs.factor >= recipe.factors[0] - 0.05) * (runs.factor <= recipe.factors[1] + 0.05)
    shares = [np.cumsum(np.where(out, 0.0, weight)) for out in left_out]
    engines = Engines(len(left_out) * recipe.members, context.shape[1], recipe, seed)
    engines.train()
    optimizer = torch.optim.AdamW(
        [
            {"params": list(engines.weights), "weight_decay": recipe.decay / recipe.rate},
            {"params": list(engines.biases), "weight_decay": 0.0},
        ],
        lr=recipe.rate,
        betas=(0.9, 0.98),
    )
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            falling = 0.5 * (1.0 + math.cos(math.pi * step / recipe.steps))
            group["lr"] = recipe.rate * min(1.0, (step + 1) / 100) * falling + 1e-6
        drawn = [
            np.searchsorted(s, s[-1] * random.random(BATCH)) for s in shares for _ in range(recipe.members)
        ]
        chosen = torch.from_numpy(np.stack(drawn).clip(0, len(weight) - 1))
        batch = [tensor[chosen] for tensor in tensors]
        total = loss(engines, engines(*batch[:3]), batch[3])
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(engines.parameters(), 5.0 * len(drawn))
        optimizer.step()
    engines.eval()
    return engines, centre, width


@torch.no_grad()
def mixture(fitted: list[tuple[Engines, Array, Array]], runs: Runs, fold: int) -> Mixture:
    """The forecast's distribution by the engines that left this fold out."""
    weights, middles, scales = [], [], []
    every = [engines.recipe for engines, _, _ in fitted for _ in range(engines.recipe.members)]
    for engines, centre, width in fitted:
        recipe = engines.recipe
        context = torch.tensor(((runs.inputs.context - centre) / width).clip(-6.0, 6.0), dtype=torch.float32)
        gaps, rough = (torch.tensor(a, dtype=torch.float32) for a in (runs.inputs.gaps, runs.inputs.rough))
        count = engines.weights[0].shape[0]
        parts = engines(context.expand(count, -1, -1), gaps.expand(count, -1, -1), rough.expand(count, -1))
        for member in range(fold * recipe.members, (fold + 1) * recipe.members):
            weight, middle, scale = (part[member].double().numpy() for part in parts)
            pad = ((0, 0), (0, 3 - recipe.parts))
            weights.append(np.pad(np.exp(weight), pad))
            middles.append(np.pad(middle, pad))
            scales.append(np.pad(scale, pad, constant_values=1.0))
    share = [recipe.share / recipe.members for recipe in every]
    return Mixture(
        weight=np.stack(weights),
        middle=np.stack(middles),
        scale=np.stack(scales),
        heavy=np.array([recipe.heavy for recipe in every]),
        share=shares([recipe.when for recipe in every], share, np.log2(runs.factor)),
        group=np.array([recipe.group for recipe in every]),
    )


@dataclass(frozen=True)
class Judged:
    """Forecasts of runs by engines that had not seen their families of data sets."""

    chances: Array  # (runs, 3): classical, tie, deep
    low: Array
    high: Array
    ahead: Array  # probability of a gap above zero
    place: Array  # probability of a gap below the truth: uniform if the forecast is right


def table(judged: Judged, runs: Runs, margin: float = MARGIN) -> str:
    """The measures of score_gaps.py for every factor and number of repeats."""
    lines = [
        "| factor | repeats | accuracy | log-loss | sign | regret | AUC | ECE | cover | width | said >= .95, wrong |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for factor in (1, 2, 4, 8, 16):
        for repeats in (1, 3, 5, 25):
            at = (runs.factor == factor) & (runs.repeats == repeats)
            if not at.any() or (factor == 1 and repeats == SPLITS):
                continue  # not asked for, or the truth itself
            values = measures(judged.chances[at], judged.low[at], judged.high[at], runs.gap[at], margin)
            lines.append(f"| {factor} | {repeats} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def measures(chances: Array, low: Array, high: Array, gap: Array, margin: float = 0.5) -> list[str]:
    """Accuracy, log-loss, sign, regret, AUC, ECE, cover, width and confident errors, as text."""
    chances = chances.clip(1e-3, 1.0) / chances.clip(1e-3, 1.0).sum(axis=1, keepdims=True)
    outcome = np.where(gap > margin, 2, np.where(gap < -margin, 0, 1))
    right = chances.argmax(axis=1) == outcome
    log_loss = -np.log(chances[np.arange(len(gap)), outcome]).mean()
    choose_deep, clear = chances[:, 2] > chances[:, 0], np.abs(gap) > margin
    regret = np.where(choose_deep, -gap, gap).clip(0.0).mean()
    confident = chances.max(axis=1) >= 0.95
    wrong = (confident & ~right).sum() / max(confident.sum(), 1)
    return [
        f"{right.mean():.3f}",
        f"{log_loss:.3f}",
        f"{(choose_deep[clear] == (gap[clear] > 0)).mean():.3f}",
        f"{regret:.3f}",
        f"{area(outcome == 2, chances[:, 2]):.3f}",
        f"{calibration_error(outcome == 2, chances[:, 2]):.3f}",
        f"{((gap >= low) & (gap <= high)).mean():.3f}",
        f"{np.median(high - low):.2f}",
        f"{confident.mean():.0%}, {wrong:.1%}",
    ]


def area(event: NDArray[np.bool_], score: Array) -> float:
    """Area under the ROC curve, ties counted half."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positive = int(event.sum())
    return float((rank[event].sum() - positive * (positive + 1) / 2) / (positive * (len(event) - positive)))


def calibration_error(event: NDArray[np.bool_], chance: Array) -> float:
    """Expected calibration error over five equal bins."""
    bins = np.minimum((chance * 5).astype(int), 4)
    parts = [
        abs(chance[bins == b].mean() - event[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    ]
    return float(sum(parts))


@dataclass(frozen=True)
class Folded:
    """Engines fitted once without each fold of the data sets."""

    fold: NDArray[np.int64]  # of every data set
    fitted: list[tuple[Engines, Array, Array]]

    @classmethod
    def fit(cls, sets: list[Tables], runs: Runs) -> "Folded":
        """Fit all recipes without each fold in turn."""
        fold = folds(sets, FOLDS)
        left_out = [fold[runs.data_set] == number for number in range(FOLDS)]
        return cls(fold, [fit(runs, left_out, recipe, seed) for seed, recipe in enumerate(RECIPES)])

    def judge(self, runs: Runs, margin: float = MARGIN) -> Judged:
        """Forecast every run by engines that had not seen its family."""
        chances = np.zeros((len(runs.gap), 3))
        low, high, ahead, place = np.zeros((4, len(runs.gap)))
        for number in range(FOLDS):
            at = self.fold[runs.data_set] == number
            forecast = mixture(self.fitted, runs.take(at), number)
            below = [forecast.below(np.array([bound])) for bound in (-margin, margin)]
            chances[at] = np.stack([below[0], below[1] - below[0], 1.0 - below[1]], axis=1)
            low[at], _, high[at] = forecast.interval()
            ahead[at] = 1.0 - forecast.below(np.zeros(1))
            place[at] = forecast.below(runs.gap[at])
        return Judged(chances, low, high, ahead, place)


def crossings(folded: Folded, sets: list[Tables]) -> str:
    """How well it is known who leads at 16 times the rows, and how residuals at neighbouring factors hang together."""
    runs, _ = path_runs(sets, draws=8)
    judged = folded.judge(runs)
    gap, ahead, place = (values.reshape(-1, 5) for values in (runs.gap, judged.ahead, judged.place))
    score = norm.ppf(place.clip(0.01, 0.99))
    beyond = np.corrcoef(score[:, 1:-1].ravel(), score[:, 2:].ravel())[0, 1]
    nearest = np.corrcoef(score[:, 0], score[:, 1])[0, 1]
    lines = [
        f"Correlation of residuals one doubling apart: {beyond:.2f}; from now to twice the rows: {nearest:.2f}"
    ]
    behind = gap[:, 0] < 0
    lead = np.where(ahead[:, 0] > 0.5, -1.0, 1.0)
    other_leads, chance = lead * gap[:, 4] > 0, np.where(lead > 0, ahead[:, 4], 1.0 - ahead[:, 4])
    for name, event, forecast in (
        ("classical leads now, deep at 16 times", gap[behind, 4] > 0, ahead[behind, 4]),
        ("the family forecast to lead now is behind at 16 times", other_leads, chance),
    ):
        brier, rate = np.mean((forecast - event) ** 2), event.mean()
        lines.append(
            f"{name}: {len(event)} runs, {rate:.0%}; AUC {area(event, forecast):.3f}, Brier {brier:.3f}"
        )
    return "\n".join(lines)


def widening(sets: list[Tables]) -> str:
    """What the curves' standard deviations must be multiplied by to cover 80 %, at factors 1, 2, 4, 8, 16."""
    ratios = []
    for line in curve_lines(sets, draws=3):
        sizes = line[5:25].reshape(5, STEPS)[
            :, ::-1
        ]  # rows, two errors with their spreads, smallest size first
        for side, truth in ((1, line[4]), (3, line[4] - line[3])):
            points = [
                Point(*point) for point in sizes[[0, side, side + 1]].T.tolist() if np.all(np.isfinite(point))
            ]
            mean, deviation = fit_curve(points).at(points[-1].rows * line[2])
            ratios.append((line[2], abs(truth - mean) / deviation))
    every = np.array(ratios)
    return "Curves: widen by " + ", ".join(
        f"{np.quantile(every[every[:, 0] == factor, 1], 0.8) / 1.2816:.2f}" for factor in (1, 2, 4, 8, 16)
    )


def write_engines(runs: Runs, sets: int) -> None:
    """Fit to everything and write gap.json."""
    nothing = np.zeros(len(runs.gap), dtype=bool)
    engines, centre, width = [], np.zeros(0), np.zeros(0)
    for seed, recipe in enumerate(RECIPES):
        fitted, centre, width = fit(runs, [nothing], recipe, seed)
        for member in range(recipe.members):
            layers = [
                [_rounded(weight[member]), _rounded(bias[member, 0])]
                for weight, bias in zip(fitted.weights, fitted.biases, strict=True)
            ]
            share = recipe.share / recipe.members
            about = {
                "group": recipe.group,
                "when": recipe.when,
                "heavy": recipe.heavy,
                "parts": recipe.parts,
                "share": share,
            }
            engines.append({**about, "layers": layers})
    stored = {
        "source": SOURCE.format(sets=sets),
        "centre": _rounded(torch.tensor(centre)),
        "width": _rounded(torch.tensor(width)),
        "engines": engines,
    }
    (VERDICT / "gap.json").write_text(json.dumps(stored, separators=(",", ":")) + "\n", encoding="utf-8")


def write_odds(sets: list[Tables], judged: Runs) -> None:
    """Fit the odds from facts alone to the outcome at every set's largest size and write odds.json."""
    first = {int(judged.data_set[line]): judged.gap[line] for line in np.flatnonzero(judged.factor == 1)}
    chosen = sorted(first)
    gap = np.array([first[number] for number in chosen])
    facts = np.array([_facts(sets[number]) for number in chosen])
    outcome = np.where(gap > 0.5, 0, np.where(gap < -0.5, 2, 1))  # deep, tie, classical
    centre, width = facts.mean(axis=0), facts.std(axis=0)
    model = LogisticRegression(C=0.1, max_iter=1000).fit((facts - centre) / width, outcome)
    stored = {
        "source": SOURCE.format(sets=len(chosen)),
        "sets": len(chosen),
        "centre": centre.round(4).tolist(),
        "width": width.round(4).tolist(),
        "weights": model.coef_.round(4).tolist(),
        "constants": model.intercept_.round(4).tolist(),
    }
    (VERDICT / "odds.json").write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Judge, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--judge", action="store_true", help="judge only, write nothing")
    only_judge = parser.parse_args().judge
    torch.set_num_threads(1)
    sets = read_curves()
    runs, judged = fitting_runs(sets, draws=3), judged_runs(sets, draws=8)
    print(
        f"{len(sets)} data sets, {len({t.family for t in sets})} families, {len(runs.gap):,} runs to fit to",
        flush=True,
    )
    folded = Folded.fit(sets, runs)
    print(table(folded.judge(judged), judged), flush=True)
    pretrained = judged_runs(sets, draws=5, family="pretrained")
    print("With the pre-trained network among the deep ones:")
    print(table(folded.judge(pretrained), pretrained), flush=True)
    relative = relative_runs(sets, draws=5)
    print("Rescaled to a level of 20, margin 0.2:")
    print(table(folded.judge(relative, 0.2), relative, 0.2), flush=True)
    print(crossings(folded, sets), flush=True)
    print(widening(sets), flush=True)
    if not only_judge:
        write_engines(runs, len(sets))
        write_odds(sets, judged)


def _below(heavy: bool, parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor], gap: float) -> torch.Tensor:
    weight, middle, scale = parts
    z = (gap - middle) / scale
    if heavy:
        share = 0.5 + (z / math.sqrt(3.0) / (1.0 + z * z / 3.0) + torch.atan(z / math.sqrt(3.0))) / math.pi
    else:
        share = torch.sigmoid(z)
    return (weight.exp() * share).sum(-1)


def _facts(tables: Tables) -> list[float]:
    rows, columns = float(np.log(tables.rows[-1])), float(np.log(tables.columns))
    return [rows, columns, float(np.log(tables.classes)), tables.majority, rows - columns]


def _rounded(values: torch.Tensor) -> list[object]:
    """Three significant digits are enough: the noise of a refit is a thousand times larger."""
    nested: list[object] = json.loads(
        json.dumps(values.detach().double().numpy().tolist()),
        parse_float=lambda text: float(f"{float(text):.3g}"),
    )
    return nested


if __name__ == "__main__":
    main()
