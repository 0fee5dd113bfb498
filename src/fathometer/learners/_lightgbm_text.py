"""LightGBM's text of a model, read strictly and written anew.

The library's own parser has had memory errors on crafted files (CVE-2024-43598), believes what it reads, and of two
equal keys takes the last, where a person sees the first. So a model is read here into arrays that are checked, and only
the text that is written from these arrays reaches the library. What does not bear on predictions (gains, counts,
importances, the parameters of training) is left out of it.

The form: https://github.com/microsoft/LightGBM/blob/v4.6.0/src/io/tree.cpp (Tree::ToString) and
src/boosting/gbdt_model_text.cpp there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.errors import BadBundle

Wholes = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Lines = dict[str, str]

VERSION = "v4"
MOST_LETTERS = 1 << 29  # of a text
MOST_LEAVES = 1 << 14  # of a tree: the library goes down some trees by calling itself
MOST_TREES = 1 << 19
SHORTEST_TREE = 64  # letters: the keys alone are longer
MOST_LINES = 100  # of a head, or of a tree: several times as many as there are keys
MOST_WORDS = 1 << 16  # of a set of categories, 32 of them each
IN_HEAD = frozenset(
    {"version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective"}
)
IN_HEAD_SKIPPED = frozenset({"feature_names", "feature_infos", "tree_sizes"})
OF_TREE = frozenset({"Tree", "num_leaves", "num_cat", "is_linear", "shrinkage"})
OF_CUTS = frozenset(
    {"split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value"}
)
OF_SETS = frozenset({"cat_boundaries", "cat_threshold"})
SKIPPED = frozenset(
    {"split_gain", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count"}
)
LAST = "end of trees"
CATEGORICAL = 1  # this bit of a decision: the value is looked up in a set
MISSING_TYPES = (0, 1, 2)  # in the bits above the lowest two: none, nought, NaN


@dataclass(frozen=True)
class BoostedTrees:
    """All trees end to end.

    leaves: (trees,). feature, threshold, decision, left, right: (cuts,), where a tree has one cut fewer than leaves;
    the threshold of a cut by categories is its place among the tree's sets. values: (all leaves,). sets: (trees,) how
    many sets of categories. sizes: (all sets,) words of each. words: 32 categories each, as bits.
    """

    columns: int
    per_round: int
    objective: str
    leaves: Wholes
    feature: Wholes
    threshold: Doubles
    decision: Wholes
    left: Wholes
    right: Wholes
    values: Doubles
    sets: Wholes
    sizes: Wholes
    words: Wholes

    def text(self) -> str:
        """A text that LightGBM reads as a model with just these predictions."""
        trees = list(self._written())
        head = [
            "tree",
            f"version={VERSION}",
            f"num_class={self.per_round}",
            f"num_tree_per_iteration={self.per_round}",
            "label_index=0",
            f"max_feature_idx={self.columns - 1}",
            f"objective={self.objective}",
            f"feature_names={' '.join(f'Column_{column}' for column in range(self.columns))}",
            f"feature_infos={' '.join(['none'] * self.columns)}",
            f"tree_sizes={' '.join(str(len(tree)) for tree in trees)}",
        ]
        return "\n".join([*head, "", "".join(trees), LAST, ""])

    def _written(self) -> Iterator[str]:
        """Each tree's text."""
        cut = leaf = group = word = 0
        for place, (leaves, sets) in enumerate(zip(self.leaves.tolist(), self.sets.tolist(), strict=True)):
            cuts, of_leaves = slice(cut, cut + leaves - 1), slice(leaf, leaf + leaves)
            bounds = [0, *accumulate(self.sizes[group : group + sets].tolist())]
            lines = {
                "Tree": str(place),
                "num_leaves": str(leaves),
                "num_cat": str(sets),
                "split_feature": _joined(self.feature[cuts]),
                "threshold": _joined(self.threshold[cuts]),
                "decision_type": _joined(self.decision[cuts]),
                "left_child": _joined(self.left[cuts]),
                "right_child": _joined(self.right[cuts]),
                "leaf_value": _joined(self.values[of_leaves]),
            }
            if sets:
                lines["cat_boundaries"] = " ".join(map(str, bounds))
                lines["cat_threshold"] = _joined(self.words[word : word + bounds[-1]])
            lines |= {"is_linear": "0", "shrinkage": "1"}
            yield "".join(f"{key}={value}\n" for key, value in lines.items()) + "\n\n"
            cut, leaf, group, word = cuts.stop, of_leaves.stop, group + sets, word + bounds[-1]


def read_trees(text: str, *, columns: int, coded: int, outputs: int) -> BoostedTrees:
    """The trees of a text.

    Args:
        columns: of the tables that will be asked.
        coded: how many of these, the last ones, hold codes: only they may be cut by categories.
        outputs: classes, or 1 for a number.

    Raises:
        BadBundle: the text is not what LightGBM writes for such a model.
    """
    if len(text) > MOST_LETTERS:
        raise _bad(f"it has {len(text):,} characters, and {MOST_LETTERS:,} are the most")
    head, blocks = _blocks(text)
    per_round = outputs if outputs > 2 else 1
    objective = _objective(head, columns, outputs, per_round)
    if not blocks or len(blocks) % per_round:
        raise _bad(f"{len(blocks)} trees cannot be shared among {per_round} outputs")
    leaves = _singles(blocks, "num_leaves", 1, MOST_LEAVES)
    sets = _singles(blocks, "num_cat", 0, MOST_LEAVES)
    _singles(blocks, "is_linear", 0, 0, "0")
    bounds = _wholes(blocks, "cat_boundaries", np.where(sets > 0, sets + 1, 0))
    sizes, words_a_tree = _sizes(bounds, sets)
    trees = BoostedTrees(
        columns=columns,
        per_round=per_round,
        objective=objective,
        leaves=leaves,
        feature=_wholes(blocks, "split_feature", leaves - 1),
        threshold=_doubles(blocks, "threshold", leaves - 1),
        decision=_wholes(blocks, "decision_type", leaves - 1),
        left=_wholes(blocks, "left_child", leaves - 1),
        right=_wholes(blocks, "right_child", leaves - 1),
        values=_doubles(blocks, "leaf_value", leaves),
        sets=sets,
        sizes=sizes,
        words=_wholes(blocks, "cat_threshold", words_a_tree),
    )
    _check_children(trees)
    _check_cuts(trees, coded)
    return trees


def _blocks(text: str) -> tuple[Lines, list[Lines]]:
    """The lines of the head, and of each tree."""
    body, mark, _ = text.partition(f"\n{LAST}\n")
    if body.count("\n\n") > min(MOST_TREES, len(body) // SHORTEST_TREE):
        raise _bad("it holds more trees than any model")
    head, *trees = [part.strip("\n") for part in body.split("\n\n") if part.strip("\n")] or [""]
    first, _, rest = head.partition("\n")
    if not mark or first != "tree":
        raise _bad("it does not begin or end as it should")
    described = _lines(rest, IN_HEAD | IN_HEAD_SKIPPED, IN_HEAD)
    blocks = [
        _lines(tree, OF_TREE | OF_CUTS | OF_SETS | SKIPPED, OF_CUTS | {"Tree", "num_leaves"})
        for tree in trees
    ]
    if any(block["Tree"] != str(place) for place, block in enumerate(blocks)):
        raise _bad("its trees are not numbered from 0 on")
    return described, blocks


def _lines(text: str, known: frozenset[str], needed: frozenset[str]) -> Lines:
    if text.count("\n") > MOST_LINES:
        raise _bad(f"a part of it has more than {MOST_LINES} lines")
    pairs = [line.partition("=") for line in text.split("\n")]
    lines = {key: value for key, _, value in pairs}
    if len(lines) != len(pairs):
        raise _bad("a key stands in it twice")
    if not lines.keys() <= known:
        raise _bad(f"it holds an unknown key, {min(lines.keys() - known)[:40]!r}")
    if not needed <= lines.keys():
        raise _bad(f"the key {min(needed - lines.keys())} is missing")
    return lines


def _objective(head: Lines, columns: int, outputs: int, per_round: int) -> str:
    """What makes answers of the trees' sums, once the head is as it must be."""
    wanted = {
        "version": VERSION,
        "num_class": str(per_round),
        "num_tree_per_iteration": str(per_round),
        "label_index": "0",
        "max_feature_idx": str(columns - 1),
    }
    for key, value in wanted.items():
        if head[key] != value:
            raise _bad(f"{key} should be {value}, and is {head[key][:40]!r}")
    known = {1: ("regression", "regression_l1"), 2: ("binary sigmoid:1",)}
    objectives = known.get(outputs, (f"multiclass num_class:{outputs}",))
    if head["objective"] not in objectives:
        raise _bad(f"the objective should be {' or '.join(objectives)}, and is {head['objective'][:40]!r}")
    return head["objective"]


def _singles(blocks: Sequence[Lines], key: str, least: int, most: int, default: str = "") -> Wholes:
    """(trees,) the one number of this key."""
    found = _numbers([block.get(key, default) for block in blocks], [1] * len(blocks), key, int, np.int64)
    if len(found) and (found.min() < least or found.max() > most):
        raise _bad(f"{key} should lie between {least} and {most:,}")
    return found


def _wholes(blocks: Sequence[Lines], key: str, counts: Wholes) -> Wholes:
    return _numbers([block.get(key, "") for block in blocks], counts.tolist(), key, int, np.int64)


def _doubles(blocks: Sequence[Lines], key: str, counts: Wholes) -> Doubles:
    return _numbers([block.get(key, "") for block in blocks], counts.tolist(), key, float, np.float64)


def _numbers(
    lines: Sequence[str], counts: Sequence[int], key: str, read: Callable[[str], Any], dtype: type
) -> npt.NDArray[Any]:
    """All numbers of these lines, which must hold so many each."""
    parts: list[npt.NDArray[Any]] = [np.zeros(0, dtype=dtype)]
    for line, count in zip(lines, counts, strict=True):
        # counted before it is split, for a word takes more memory than a letter
        found = line.count(" ") + 1 if line else 0
        if found != count:
            raise _bad(f"{key} should hold {count:,} numbers in one tree, and holds {found:,}")
        words = line.split(" ") if line else []
        try:
            parts.append(np.array(list(map(read, words)), dtype=dtype))
        except (ValueError, OverflowError) as error:
            raise _bad(f"{key} holds what is no number") from error
    return np.concatenate(parts)


def _sizes(bounds: Wholes, sets: Wholes) -> tuple[Wholes, Wholes]:
    """(all sets,) words of each, (trees,) words of all sets of a tree."""
    first = np.concatenate([[0], np.cumsum(sets + (sets > 0))])
    starts, ends = first[:-1][sets > 0], first[1:][sets > 0] - 1
    if (bounds[starts] != 0).any():
        raise _bad("cat_boundaries should begin with 0")
    inside = np.ones(max(len(bounds) - 1, 0), dtype=bool)
    inside[ends[ends < len(inside)]] = False  # from one tree's last to the next one's first
    sizes = np.diff(bounds)[inside]
    if ((sizes < 0) | (sizes > MOST_WORDS)).any():
        raise _bad("cat_boundaries should rise, and not by too much")
    words = np.zeros(len(sets), dtype=np.int64)
    words[sets > 0] = bounds[ends]
    return sizes, words


def _check_children(trees: BoostedTrees) -> None:
    """Every cut but the first, and every leaf, is the child of one cut, and a cut comes after its parent.

    Raises:
        BadBundle: they do not make trees.
    """
    cuts = trees.leaves - 1
    tree = np.repeat(np.arange(len(cuts)), cuts)
    first_cut, first_leaf = np.cumsum(cuts) - cuts, np.cumsum(trees.leaves) - trees.leaves
    own = np.arange(len(tree)) - first_cut[tree]
    seen_cuts, seen_leaves = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for child in (trees.left, trees.right):
        inner = child >= 0
        is_sound = np.where(inner, (child > own) & (child < cuts[tree]), ~child < trees.leaves[tree])
        if not is_sound.all():
            raise _bad("a child lies outside its tree, or leads back")
        seen_cuts.append((child + first_cut[tree])[inner])
        seen_leaves.append((~child + first_leaf[tree])[~inner])
    leaves = np.bincount(np.concatenate(seen_leaves), minlength=int(trees.leaves.sum()))
    inner_nodes = np.bincount(np.concatenate(seen_cuts), minlength=len(tree))
    lone = trees.leaves == 1  # such a leaf is nobody's child
    if (leaves != np.repeat(~lone, trees.leaves)).any() or (inner_nodes != (own > 0)).any():
        raise _bad("a part of a tree hangs from two places, or from none")


def _check_cuts(trees: BoostedTrees, coded: int) -> None:
    """Features, kinds of decision and sets of categories are there.

    Raises:
        BadBundle: they are not.
    """
    if ((trees.feature < 0) | (trees.feature >= trees.columns)).any():
        raise _bad(f"a tree asks for a column beyond the {trees.columns} there are")
    if ((trees.decision < 0) | ~np.isin(trees.decision >> 2, MISSING_TYPES)).any():
        raise _bad("decision_type holds what is none")
    by_category = (trees.decision & CATEGORICAL) > 0
    sets = np.repeat(trees.sets, trees.leaves - 1)[by_category]
    chosen = trees.threshold[by_category]
    if ((chosen < 0) | (chosen >= sets) | (chosen != np.floor(chosen))).any():
        raise _bad("a cut by categories names a set that is not there")
    # a threshold without end tells values from missing ones
    if np.isnan(trees.threshold).any() or not np.isfinite(trees.values).all():
        raise _bad("a threshold or an answer is no number")
    if (trees.feature[by_category] < trees.columns - coded).any():
        raise _bad("a column of numbers is cut by categories")
    if ((trees.words < 0) | (trees.words >= 1 << 32)).any():
        raise _bad("cat_threshold holds what is not 32 bits")


def _joined(numbers: npt.NDArray[Any]) -> str:
    """Numbers as text that gives the same numbers again."""
    return " ".join(map(repr, numbers.tolist()))


def _bad(what: str) -> BadBundle:
    return BadBundle(f"A model's trees.txt is not what LightGBM writes: {what}. Make the model again.")
