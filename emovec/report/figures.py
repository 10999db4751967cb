"""Figures of a trained affect model; each function returns a figure and draws nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import ArrayLike, NDArray

from emovec import sphere
from emovec.labels import AFFECT_AXES
from emovec.metrics.regression import concordance
from emovec.report import style
from emovec.tables.files import write_atomically

LARGEST_LABELLED = 10  # classes; the numbers of more do not fit into cells at page width


# families of metrics and the axis that they are drawn on; the first that there is
CURVES = {
    "ccc/": "CCC",
    "eer/": "EER",
    "emotion/unweighted_recall_mean_of_corpora": "mean of unweighted recall",
    "emotion/weighted_f1": "weighted F1",
    "masked/accuracy": "accuracy on masked frames",
}


def learning_curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """Loss over epochs, and what the epoch is chosen by: concordance, EER or weighted F1.

    Args:
        history: for each epoch, its number as "epoch" and values as "part/loss" and
            "part/family/detail", for example "train/loss" and "valid/ccc/mean"; keys that are
            neither are not drawn, missing ones leave a gap

    Raises:
        ValueError: if there is no epoch
    """
    if not history:
        raise ValueError("history is empty; expected at least one epoch.")
    names = list(dict.fromkeys(name for epoch in history for name in epoch))
    panels = {"loss": [name for name in names if name.endswith("/loss")]}
    for family, label in CURVES.items():
        found = [name for name in names if f"/{family}" in name]
        if found:
            panels[label] = found
            break
    figure = style.new_figure(style.PAGE_WIDTH, 2.6)
    subplots = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (label, drawn) in zip(subplots, panels.items(), strict=True):
        style.dress(axes, "", "epoch", label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        for name, colour in zip(drawn, _line_colours(drawn), strict=True):
            _curve(axes, history, name, colour)
        if drawn:
            axes.legend(loc="upper right", fontsize=style.FONT_SIZE - 1, frameon=False)
    return figure


def predicted_against_true(
    predicted: ArrayLike, target: ArrayLike, axes: Sequence[str], scale: tuple[float, float]
) -> Figure:
    """Predicted against true values, a panel an axis.

    Args:
        predicted: (N, K) predictions
        target: (N, K) references, same unit
        axes: K names, for example the affect axes
        scale: lowest and highest value of the unit

    Raises:
        ValueError: if the shapes differ or a value is not finite
    """
    x, y = _same(target, predicted, "(N, K)")
    figure = style.new_figure(style.PAGE_WIDTH, 0.4 + style.PAGE_WIDTH / len(axes))
    panels = figure.subplots(1, len(axes), squeeze=False)[0]
    low, high = min(scale[0], y.min(initial=scale[0])), max(scale[1], y.max(initial=scale[1]))
    margin = 0.04 * (high - low)
    ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
    ticks = [tick for tick in ticks if low <= tick <= high]
    for column, (panel, name) in enumerate(zip(panels, axes, strict=True)):
        title = name
        if len(x) > 1:
            title = f"{name}, CCC {concordance(y[:, column], x[:, column]):.3f}"
        style.dress(panel, title, "true", "predicted" if column == 0 else "")
        panel.axline((low, low), (high, high), color=style.FAINT, linewidth=0.8, zorder=1)
        look = {"s": _size(len(x)), "alpha": _opacity(len(x)), "linewidths": 0}
        panel.scatter(x[:, column], y[:, column], color="#0072B2", zorder=2, **look)
        ends = (low - margin, high + margin)
        panel.set(xlim=ends, ylim=ends, xticks=ticks, yticks=ticks, aspect="equal")
    return figure


def affect_sphere(
    true: ArrayLike,
    predicted: ArrayLike,
    regions: int,
    axes: Sequence[str] = sphere.DEFAULT_AXES,
) -> Figure:
    """True and predicted affect around the unit sphere, both coloured by the true region.

    Args:
        true: (N, 3) valence, arousal, dominance in [-1, 1]
        predicted: (N, 3) the same
        regions: 8, 18 or 32
        axes: which affect axes are x, y and z

    Raises:
        ValueError: if the shapes differ or a value is not finite
    """
    true, predicted = _same(true, predicted, "(N, 3)")
    numbers = sphere.region(true, regions, axes)
    looks = list(zip(style.region_colours(regions), style.region_names(regions, axes), strict=True))
    order = [AFFECT_AXES.index(axis) for axis in axes]
    figure = style.new_figure(style.PAGE_WIDTH, 3.8)
    for place, (title, points) in enumerate((("true", true), ("predicted", predicted))):
        panel = figure.add_subplot(1, 2, place + 1, projection="3d")
        _draw_sphere(panel, title, axes)
        _draw_regions(panel, points[:, order], numbers, looks)
    handles, labels = panel.get_legend_handles_labels()
    if len(labels) > LARGEST_LABELLED:
        figure.supxlabel(
            "hue: sector of the true region; lightness: its band", fontsize=style.FONT_SIZE
        )
    elif labels:
        figure.legend(
            handles,
            labels,
            title="true region",
            loc="outside lower center",
            ncols=min(4, len(labels)),
            markerscale=1.8,
            fontsize=style.FONT_SIZE,
            title_fontsize=style.FONT_SIZE,
            frameon=False,
            handletextpad=0.1,
            columnspacing=1.0,
        )
    return figure


def confusion(matrix: ArrayLike, class_names: Sequence[str], kind: str) -> Figure:
    """Confusion matrix: shares of each true class, counts below.

    Args:
        matrix: (K, K) counts; rows are true, columns predicted
        class_names: K names
        kind: what the classes are, such as "region"

    Raises:
        ValueError: if the matrix does not have a row and a column for each name
    """
    counts = np.asarray(matrix)
    size = len(class_names)
    if counts.shape != (size, size):
        raise ValueError(f"matrix is {counts.shape}; expected {(size, size)}, as class_names.")
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    figure = style.new_figure(5.4, 4.7)
    figure.set_layout_engine("compressed")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=shares.max(initial=0) or 1)
    style.dress(axes, "", f"predicted {kind}", f"true {kind} (clips)")
    rows = [f"{name} ({total})" for name, total in zip(class_names, totals[:, 0], strict=True)]
    size_of_text = style.FONT_SIZE - 1 if size <= LARGEST_LABELLED else style.SMALL_FONT_SIZE - 1.5
    angle = 90 if size > LARGEST_LABELLED or max(map(len, class_names)) > 4 else 0
    axes.set_xticks(range(size), class_names, fontsize=size_of_text, rotation=angle)
    axes.set_yticks(range(size), rows, fontsize=size_of_text)
    if size <= LARGEST_LABELLED:
        _write_cells(axes, counts, shares, totals[:, 0])
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label(f"share of the true {kind}", fontsize=style.FONT_SIZE)
    bar.ax.tick_params(labelsize=style.FONT_SIZE - 1, width=0.6, length=2.5)
    bar.outline.set_linewidth(0.6)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, 200 dots an inch.

    Raises:
        StorageError: if the file cannot be written; nothing half-written is left
    """
    with write_atomically(path, "wb") as file:
        figure.savefig(file, format="png", dpi=200)


def _line_colours(names: Sequence[str]) -> list[str]:
    known = {"valence": "#009E73", "arousal": "#E69F00", "dominance": "#CC79A7"}
    known |= {"train": "#56B4E9", "valid": "#D55E00"}
    words = (name.split("/") for name in names)
    return [known.get(last, known.get(first, "#000000")) for first, *_, last in words]


def _curve(axes: Axes, history: Sequence[Mapping[str, float]], name: str, colour: str) -> None:
    epochs = [epoch["epoch"] for epoch in history]
    values = [epoch.get(name, np.nan) for epoch in history]
    label = name.removesuffix("/loss").replace("/ccc/", " ")
    dashes = "--" if name.startswith("train/") else "-"
    axes.plot(epochs, values, dashes, color=colour, label=label, linewidth=1.2, marker=".")


def _size(points: int) -> float:
    """Size of a marker, in square points: many are small."""
    return 14.0 if points < 200 else 7.0


def _opacity(points: int) -> float:
    """Opacity of a marker, so that many show where they are dense."""
    return float(np.clip(15 / max(points, 1) ** 0.5, 0.15, 0.9))


def _same(
    first: ArrayLike, second: ArrayLike, shape: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.ndim != 2 or x.shape != y.shape:
        raise ValueError(f"found {x.shape} and {y.shape}; expected the same {shape}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("values have NaN or infinite ones; expected finite ones.")
    return x, y


def _draw_sphere(panel: Axes3D, title: str, axes: Sequence[str]) -> None:
    """An empty unit sphere with named axes."""
    azimuth, polar = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0, np.pi, 13))
    x, y, z = np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)
    panel.plot_wireframe(x, y, z, color=style.FAINT, linewidth=0.3)
    panel.set_title(title, fontsize=style.FONT_SIZE, color=style.INK, y=0.98)
    panel.tick_params(labelsize=style.SMALL_FONT_SIZE, pad=-3)
    ticks = (-1, 0, 1)
    panel.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1), xticks=ticks, yticks=ticks, zticks=ticks)
    for axis in (panel.yaxis, panel.zaxis):  # where axes meet there is room for one number
        axis.set_ticklabels(["", "0", "1"])
    for axis, name in zip((panel.xaxis, panel.yaxis, panel.zaxis), axes, strict=True):
        axis.set_label_text(name, fontsize=style.FONT_SIZE)
        axis.labelpad = -7
        axis.pane.set_visible(False)
    panel.set_box_aspect((1, 1, 1), zoom=0.95)
    panel.view_init(elev=20, azim=-60)


def _draw_regions(
    panel: Axes3D,
    points: NDArray[np.float64],
    numbers: NDArray[np.int64],
    looks: Sequence[tuple[str, str]],
) -> None:
    """Points (N, 3) as x, y, z, in the colour and with the name of their region."""
    size = _size(len(points))
    for number in np.unique(numbers):
        x, y, z = points[numbers == number].T
        colour, name = looks[number]
        panel.scatter(
            x, y, z, s=size, color=colour, label=name, alpha=0.8, linewidths=0, depthshade=False
        )


def _write_cells(axes: Axes, counts: NDArray, shares: NDArray, totals: NDArray) -> None:
    for row, column in np.ndindex(counts.shape):
        text = f"{shares[row, column]:.2f}\n{counts[row, column]}" if totals[row] else "-"
        colour = "white" if shares[row, column] > 0.6 * shares.max() else style.INK
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=style.SMALL_FONT_SIZE,
            color=colour,
        )
