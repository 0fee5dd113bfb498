"""Scores -> probabilities, members -> mixes, and the answer that is given: as the task and the bundle make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.export.graph import Graph, Name
from fathometer.task import Task
from fathometer.tasks.classification import Classification

Doubles = npt.NDArray[np.float64]


def softmax(graph: Graph, scores: Name) -> Name:
    """(rows, classes) double scores as probabilities."""
    return graph.node("Softmax", scores, axis=1)


def normalised(graph: Graph, shares: Name) -> Name:
    """(rows, classes) made to sum to one."""
    total = graph.node("ReduceSum", shares, np.array([1], dtype=np.int64), keepdims=1)
    return graph.node("Div", shares, total)


def all_classes(graph: Graph, shares: Name, seen: Any, classes: int) -> Name:
    """(rows, seen classes) put into (rows, classes); of a class named twice the last counts."""
    known = np.asarray(seen, dtype=np.int64)
    if len(known) == classes and (known == np.arange(classes)).all():
        return shares
    places = np.zeros((len(known), classes))
    for position, label in enumerate(known):
        places[:, label] = 0.0
        places[position, label] = 1.0
    return graph.node("MatMul", shares, places)


def weighed(graph: Graph, rows: Name, parts: Mapping[str, Any]) -> Name:
    """What weights (outputs, columns) and offsets answer for double rows (rows, columns)."""
    weights, offsets = np.asarray(parts["weights"], dtype=np.float64), np.asarray(parts["offsets"])
    if parts["classes"] and len(weights) == 1:  # of two classes the first has the score 0
        weights, offsets = np.vstack([np.zeros_like(weights), weights]), np.append(0.0, offsets)
    scores = graph.node("Add", graph.node("MatMul", rows, weights.T.copy()), offsets.reshape(1, -1))
    if not parts["classes"]:
        return scores
    return all_classes(graph, softmax(graph, scores), parts["seen"], int(parts["classes"]))


def mixed(
    graph: Graph, answers: Mapping[str, Name], mixes: Sequence[Mapping[str, float]], task: Task
) -> Name:
    """The mean of the mixes' weighted means, as `Bundle.predict_raw` makes it; (rows, outputs) double."""
    means = [_mean(graph, [answers[key] for key in mix], list(mix.values()), task) for mix in mixes]
    return _mean(graph, means, [1.0] * len(means), task)


def _mean(graph: Graph, answers: Sequence[Name], weights: Sequence[float], task: Task) -> Name:
    parts = [
        graph.node("Mul", answer, np.array([[float(weight)]]))
        for answer, weight in zip(answers, weights, strict=True)
    ]
    total = parts[0] if len(parts) == 1 else graph.node("Sum", *parts)
    if isinstance(task, Classification):
        return normalised(graph, total)
    return graph.node("Div", total, np.array([[float(sum(weights))]]))


def label(graph: Graph, shares: Name, task: Classification) -> Name:
    """(rows,) the class that is answered; where every class counts alike, by how far its share is exceeded."""
    decided = shares
    if task.metric == "balanced_accuracy" and task.shares:
        decided = normalised(graph, graph.node("Div", shares, np.array([task.shares], dtype=np.float64)))
    chosen = graph.node("ArgMax", decided, axis=1, keepdims=0)
    return graph.node("Gather", np.array(task.labels, dtype=object), chosen, axis=0)
