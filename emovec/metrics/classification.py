"""Metrics of predicted classes; classes are integers or strings."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


def accuracy(predicted: ArrayLike, target: ArrayLike) -> float:
    """Share of items whose class is right.

    Args:
        predicted: (N,) classes
        target: (N,) classes

    Returns:
        value in [0, 1]

    Raises:
        ValueError: if the shapes differ or are not (N,) with N > 0, or classes are neither
            integers nor strings

    >>> accuracy([0, 1, 1, 1], [0, 0, 1, 1])
    0.75
    """
    x, y = _pair(predicted, target)
    return float(np.mean(x == y))


def macro_f1(predicted: ArrayLike, target: ArrayLike) -> float:
    """Mean over classes of F1 = 2 hits / (predicted + true).

    Over the classes that occur in ``predicted`` or ``target``: one that nobody says and that
    nothing is has no F1.

    Args:
        predicted: (N,) classes
        target: (N,) classes

    Returns:
        value in [0, 1]

    Raises:
        ValueError: if the shapes differ or are not (N,) with N > 0, or classes are neither
            integers nor strings

    >>> macro_f1([0, 1, 1, 1], [0, 0, 1, 1])  # (2 * 1 / 3 + 2 * 2 / 5) / 2
    0.7333333333333334
    """
    return float(_f1(_counts(predicted, target)).mean())


def weighted_f1(predicted: ArrayLike, target: ArrayLike) -> float:
    """Mean over classes of F1 = 2 hits / (predicted + true), weighted by true items.

    Args:
        predicted: (N,) classes
        target: (N,) classes

    Returns:
        value in [0, 1]

    Raises:
        ValueError: if the shapes differ or are not (N,) with N > 0, or classes are neither
            integers nor strings

    >>> weighted_f1([0, 1, 1, 1], [0, 1, 1, 0])  # 2/4 * (2 * 1 / 3) + 2/4 * (2 * 2 / 5)
    0.7333333333333334
    """
    counts = _counts(predicted, target)
    return float(np.average(_f1(counts), weights=counts.true))


def unweighted_recall(predicted: ArrayLike, target: ArrayLike) -> float:
    """Mean over the classes of ``target`` of the share that is found.

    Also known as unweighted average recall and balanced accuracy.

    Args:
        predicted: (N,) classes
        target: (N,) classes

    Returns:
        value in [0, 1]

    Raises:
        ValueError: if the shapes differ or are not (N,) with N > 0, or classes are neither
            integers nor strings

    >>> unweighted_recall([0, 1, 1, 1], [0, 0, 0, 1])  # (1/3 + 1/1) / 2
    0.6666666666666666
    """
    counts = _counts(predicted, target)
    occurs = counts.true > 0
    return float(np.mean(counts.hits[occurs] / counts.true[occurs]))


def confusion_matrix(
    predicted: ArrayLike, target: ArrayLike, classes: Sequence[int] | Sequence[str]
) -> NDArray[np.int64]:
    """Counts of items by true and predicted class.

    Args:
        predicted: (N,) classes
        target: (N,) classes
        classes: K different classes, in the order of rows and columns

    Returns:
        (K, K) counts; rows are true, columns predicted

    Raises:
        ValueError: if the shapes differ or are not (N,) with N > 0, ``classes`` repeats itself,
            or a class is not among them

    >>> confusion_matrix(["b", "b", "a"], ["a", "b", "a"], ["a", "b"]).tolist()
    [[1, 1], [0, 1]]
    """
    x, y = _pair(predicted, target)
    places = {name: place for place, name in enumerate(classes)}
    if len(places) < len(classes):
        raise ValueError(f"classes are {list(classes)}; expected each once.")
    unknown = sorted(set(x.tolist() + y.tolist()) - set(places))
    if unknown:
        raise ValueError(f"classes {unknown} occur; expected only {list(classes)}.")
    rows = np.array([places[name] for name in y.tolist()])
    columns = np.array([places[name] for name in x.tolist()])
    size = len(classes)
    return np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)


class _Counts(NamedTuple):
    """Items of each class that occurs, each (K,)."""

    hits: NDArray[np.int64]
    predicted: NDArray[np.int64]
    true: NDArray[np.int64]


def _counts(predicted: ArrayLike, target: ArrayLike) -> _Counts:
    x, y = _pair(predicted, target)
    classes, codes = np.unique(np.concatenate([x, y]), return_inverse=True)
    x, y = codes[: len(x)], codes[len(x) :]
    hits, said, true = (np.bincount(of, minlength=len(classes)) for of in (x[x == y], x, y))
    return _Counts(hits, said, true)


def _f1(counts: _Counts) -> NDArray[np.float64]:
    return 2 * counts.hits / (counts.predicted + counts.true)


def _pair(predicted: ArrayLike, target: ArrayLike) -> tuple[NDArray, NDArray]:
    x, y = np.asarray(predicted), np.asarray(target)
    if x.ndim != 1 or x.shape != y.shape or len(x) == 0:
        raise ValueError(
            f"predicted is {x.shape} and target {y.shape}; expected the same (N,), N >= 1."
        )
    for name, values in (("predicted", x), ("target", y)):
        if values.dtype.kind not in "biuU":
            raise ValueError(f"{name} is {values.dtype}; expected integers or strings.")
    if (x.dtype.kind == "U") != (y.dtype.kind == "U"):
        raise ValueError(f"predicted is {x.dtype} and target {y.dtype}; expected one kind.")
    return x, y
