"""A small tree that answers almost as a model does, and its rules in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.data.rows import Rows
from fathometer.study.facts import with_facts
from fathometer.study.questions import CLOCK, Asked, askable, best_cut, plainly
from fathometer.task import Prediction, Task

Floats = npt.NDArray[np.float64]

MOST_LEAVES, MOST_DEPTH = 16, 4
SMALLEST_LEAF = 0.01  # of the rows learned from, and at least five
LEAST_GAIN = 1e-3  # of the answers' variance, below which a question is not worth a reader's time
DRAWS = 300  # of the bootstrap
NORMAL_HALF = 1.959964  # standard deviations to either side that hold 95 % of a normal curve


@dataclass(frozen=True)
class Node:
    """A question with two sides, or a leaf (asked is None).

    answer: (outputs,) mean answer of the rows learned from that come here. cut: up to it a row goes below. told: the
    cut for people.
    """

    answer: Floats
    rows: int
    asked: Asked | None = None
    cut: float = 0.0
    told: str = ""
    below: Node | None = None
    above: Node | None = None

    @property
    def leaves(self) -> int:
        """How many leaves it ends in."""
        return self.below.leaves + self.above.leaves if self.below and self.above else 1

    @property
    def depth(self) -> int:
        """The most questions on one way."""
        return 1 + max(self.below.depth, self.above.depth) if self.below and self.above else 0

    def predict(self, rows: Rows) -> Floats:
        """(rows, outputs)."""
        found = np.tile(self.answer, (len(rows), 1))
        self._fill(rows, np.arange(len(rows)), found)
        return found

    def _fill(self, rows: Rows, places: npt.NDArray[np.intp], found: Floats) -> None:
        if self.asked is None or self.below is None or self.above is None:
            found[places] = self.answer
            return
        is_below = self.asked.of(rows.take(places)) <= self.cut
        self.below._fill(rows, places[is_below], found)
        self.above._fill(rows, places[~is_below], found)


def measure_surrogate(
    task: Task, learned: Rows, answers: Prediction, test: Rows, test_answers: Prediction
) -> dict[str, Any]:
    """How well a tree that fits on a page stands for a model, by its answers on rows to learn from and on test rows.

    The tree is fitted to the model's answers (for classes: its probabilities), never to the target. Fidelity is, on
    the test rows, the share of them given the same class, with Wilson's interval [1], or the share of the variance of
    the model's answers (R2), with the 95 % interval of a bootstrap over rows.

    [1] Wilson (1927). https://doi.org/10.1080/01621459.1927.10502953
    """
    learned, test = with_facts(learned), with_facts(test)  # worked out once, and asked about often
    tree = grow(task, learned, answers)
    own = tree.predict(test)
    prediction: Prediction = own if task.outputs > 1 else own[:, 0]
    fidelity, low, high = (_agreed if task.outputs > 1 else _explained)(task, test_answers, prediction)
    return {
        "leaves": tree.leaves,
        "depth": tree.depth,
        "fidelity": fidelity,
        "low": low,
        "high": high,
        "score": task.measure.score(float(task.losses(test.answers, prediction).mean())),
        "rules": rules(tree, task),
    }


def grow(task: Task, rows: Rows, answers: Prediction) -> Node:
    """The tree of at most 16 leaves and four questions deep fitted to these answers [1].

    The tree sees each value as its place among the different values, which changes nothing for a tree and spares it
    the seven digits of single precision; a cut is then the roundest number between its two neighbours.

    [1] Breiman, Friedman, Olshen & Stone (1984). Classification and regression trees. ISBN 978-0412048418
    """
    # loaded here because the main program, which imports the probe to order it, stays light
    from sklearn.tree import DecisionTreeRegressor

    columns = [(item, *np.unique(item.of(rows), return_inverse=True)) for item in askable(rows, answers)]
    asked = [(item, steps, places) for item, steps, places in columns if len(steps) > 1]
    table = answers.reshape(len(rows), -1)
    if not asked:
        return Node(table.mean(axis=0), len(rows))
    spread = float(table.var(axis=0).mean())
    scale = math.sqrt(spread) or 1.0
    fitted = DecisionTreeRegressor(
        max_leaf_nodes=MOST_LEAVES,
        max_depth=MOST_DEPTH,
        min_samples_leaf=max(5, math.ceil(SMALLEST_LEAF * len(rows))),
        min_impurity_decrease=LEAST_GAIN if spread else 0.0,
        random_state=0,
    ).fit(
        np.stack([places for _, _, places in asked], axis=1).astype(np.float32),
        (table - table.mean(axis=0)) / scale,
    )
    return _node(fitted.tree_, 0, [(item, steps) for item, steps, _ in asked], rows, table)


def rules(tree: Node, task: Task) -> list[str]:
    """One line per leaf: what leads there, what is answered, how many of the rows learned from come there."""
    return [_rule(path, leaf, task) for path, leaf in _paths(tree, ())]


Step = tuple[Asked, bool, str, float]
"""What was asked, whether the row is above the cut, the cut in words and as a number."""


def _node(fitted: Any, place: int, asked: list[tuple[Asked, Floats]], rows: Rows, table: Floats) -> Node:
    """scikit-learn's tree from this node on, with cuts in the columns' own values."""
    answer = table.mean(axis=0)
    if fitted.children_left[place] < 0:
        return Node(answer, len(rows))
    item, steps = asked[int(fitted.feature[place])]
    values = item.of(rows)
    is_below = values <= steps[math.floor(fitted.threshold[place])]
    cut, told = best_cut(item, float(values[is_below].max()), float(values[~is_below].min()))
    sides = []
    for child, inside in ((fitted.children_left, is_below), (fitted.children_right, ~is_below)):
        mine = np.flatnonzero(inside)
        sides.append(_node(fitted, int(child[place]), asked, rows.take(mine), table[mine]))
    return Node(answer, len(rows), item, cut, told, sides[0], sides[1])


def _paths(node: Node, path: tuple[Step, ...]) -> list[tuple[tuple[Step, ...], Node]]:
    if node.asked is None or node.below is None or node.above is None:
        return [(path, node)]
    below = _paths(node.below, (*path, (node.asked, False, node.told, node.cut)))
    return below + _paths(node.above, (*path, (node.asked, True, node.told, node.cut)))


def _rule(path: tuple[Step, ...], leaf: Node, task: Task) -> str:
    columns = list(dict.fromkeys(step[0].column for step in path))
    parts = [_condition([step for step in path if step[0].column == column]) for column in columns]
    if task.outputs > 1:
        label = task.answer(leaf.answer[None, :])["prediction"].iloc[0]
        share = task.answer(leaf.answer[None, :])[f"probability_{label}"].iloc[0]
        told = f"{label}, {100 * share:.0f} % sure"
    else:
        told = plainly(float(f"{leaf.answer[0]:.4g}"))
    rows = f"{leaf.rows:,} row" + ("" if leaf.rows == 1 else "s")
    return " and ".join(parts or ["always"]) + f": {told} ({rows})"


def _condition(steps: list[Step]) -> str:
    """What all questions on one column say together."""
    column = steps[0][0].column
    missing = [above for asked, above, _, _ in steps if asked.about == "missing"]
    if any(missing):
        return f"{column} is missing"
    levels = [(asked, above) for asked, above, _, _ in steps if asked.about == "level"]
    if levels:
        return _which(column, levels, bool(missing))
    words = [
        f"{'mentions' if above else 'without'} {asked.level}"
        for asked, above, _, _ in steps
        if asked.about == "word"
    ]
    if words:
        rest = [step for step in steps if step[0].about != "word"]
        return " and ".join([f"{column} {' and '.join(words)}", *([_condition(rest)] if rest else [])])
    abouts = dict.fromkeys(asked.about for asked, _, _, _ in steps if asked.about != "missing")
    if not abouts:
        return f"{column} is known"
    ranges = [_range([step for step in steps if step[0].about == about]) for about in abouts]
    told = " and ".join(text for text, _ in ranges)
    stays = not missing and steps[0][0].has_gaps and all(holds for _, holds in ranges)
    return f"({told} or missing)" if stays else told


def _range(steps: list[Step]) -> tuple[str, bool]:
    """Between which values these answers leave a column, and whether what stands for a missing one lies there."""
    asked = steps[0][0]
    # of questions on one way a later cut is always the tighter one
    low, high = (next((step for step in reversed(steps) if step[1] is side), None) for side in (True, False))
    holds = (low is None or asked.fill > low[3]) and (high is None or asked.fill <= high[3])
    if asked.about in CLOCK:
        words = CLOCK[asked.about]
        first = words[int(low[3]) + 1 if low else 0]
        last = words[int(high[3]) if high else -1]
        return f"{asked.about} of {asked.column} is {first if first == last else f'{first} to {last}'}", holds
    name = f"characters in {asked.column}" if asked.kind == "text" else asked.column
    if low and high and asked.is_whole and asked.kind != "moment" and high[3] == low[3] + 1:
        return f"{name} is {high[2]}", holds
    return _between(name, low and low[2], high and high[2], asked.kind == "moment"), holds


def _which(column: str, asked: list[tuple[Asked, bool]], is_known: bool) -> str:
    """Which levels these answers leave, said by what is in or by what is out, whichever is shorter."""
    taken = [item.level for item, above in asked if above]
    if taken:
        return f"{column} is {taken[0]}"
    out = [item.level for item, _ in asked]
    left = [level for level in asked[0][0].others if level not in out]
    if len(left) <= len(out) and (is_known or not asked[0][0].has_gaps):
        return f"{column} is {left[0]}" if len(left) == 1 else f"{column} is one of {', '.join(left)}"
    known = "known and " if is_known else ""
    if len(out) == 1:
        return f"{column} is {known}not {out[0]}"
    return f"{column} is {known}none of {', '.join(out)}"


def _between(name: str, low: str | None, high: str | None, is_moment: bool) -> str:
    if is_moment and low is not None and high is not None:
        return f"{low} <= {name} < {high}"
    if is_moment:
        return f"{name} before {high}" if low is None else f"{name} from {low} on"
    if low is not None and high is not None:
        return f"{low} < {name} <= {high}"
    return f"{name} <= {high}" if low is None else f"{name} > {low}"


Fidelity = tuple[float, float | None, float | None]


def _agreed(task: Task, truth: Prediction, guess: Prediction) -> Fidelity:
    """Share of rows given the same class, with Wilson's interval."""
    same = task.answer(truth)["prediction"].to_numpy() == task.answer(guess)["prediction"].to_numpy()
    hits, count, square = int(same.sum()), len(same), NORMAL_HALF**2
    middle = (hits + square / 2) / (count + square)
    half = NORMAL_HALF / (count + square) * math.sqrt(hits * (count - hits) / count + square / 4)
    return hits / count, max(0.0, middle - half), min(1.0, middle + half)


def _explained(task: Task, truth: Prediction, guess: Prediction) -> Fidelity:
    """R2 with the 95 % interval of a bootstrap over rows."""
    fits = float(((truth - guess) ** 2).sum())
    spread = float(((truth - truth.mean()) ** 2).sum())
    if spread <= 1e-12 * float((truth**2).sum()):  # one answer for all rows
        return (1.0 if fits <= 1e-12 * float((truth**2).sum()) else 0.0), None, None
    count = len(truth)
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    apart = truth - truth.mean()
    residuals = weights @ (truth - guess) ** 2
    totals = weights @ apart**2 - (weights @ apart) ** 2 / count
    drawn = 1 - residuals[totals > 0] / totals[totals > 0]
    if not len(drawn):
        return 1 - fits / spread, None, None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return 1 - fits / spread, float(low), float(high)
