"""Figures of what representations keep and hide: masking curves, and a search's trade-off."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from emovec.privacy.curves import Point
from emovec.privacy.masking import EMOTION, IDENTITY
from emovec.privacy.search import MASKED_GROUPS, Setting
from emovec.privacy.selection import Measures
from emovec.privacy.systems import EMOTION_FREE, IDENTITY_FREE
from emovec.report import style

ENDS = {EMOTION: "identity end masked", IDENTITY: "emotion end masked"}
MEASURES = {"weighted_f1": "emotion, weighted F1 (%)", "equal_error_rate": "speakers, EER (%)"}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P")


def masking_curves(curves: Mapping[str, Sequence[Point]], guessed: Measures) -> Figure:
    """Emotion and identity over the number of masked groups, a column for each end.

    Args:
        curves: by the label of a system
        guessed: what nothing of emotion or identity comes to: grey lines

    Raises:
        ValueError: if there are no curves
    """
    if not curves:
        raise ValueError("there are no curves; expected one of each system.")
    figure = style.new_figure(style.PAGE_WIDTH, 4.2)
    panels = figure.subplots(2, 2, sharex=True, sharey="row")
    for row, (measure, label) in enumerate(MEASURES.items()):
        for column, (keep, title) in enumerate(ENDS.items()):
            axes = panels[row, column]
            texts = ("" if row else title, "masked groups" if row else "", "" if column else label)
            style.dress(axes, *texts)
            for (name, points), colour in zip(curves.items(), COLOURS, strict=False):
                of_end = sorted(point for point in points if point.keep == keep)
                values = [100 * getattr(point.measures, measure) for point in of_end]
                groups = [point.masked_groups for point in of_end]
                axes.plot(groups, values, color=colour, label=name, linewidth=1.3)
            bound = 100 * getattr(guessed, measure)
            axes.axhline(bound, color=style.FAINT, linewidth=0.8, zorder=0)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, names = panels[0, 0].get_legend_handles_labels()
    _legend(figure, handles=handles, labels=names, ncols=len(names))
    return figure


def trade_off(settings: Sequence[Setting], chosen: Setting) -> Figure:
    """What each setting of a search hides against what it keeps, a panel for each end.

    Colours tell profiles, marks the number of masked groups; the chosen one has a ring. The better,
    the further up and to the right, in either panel. Grey: what guessing comes to.

    Args:
        settings: of the search, measured
        chosen: one of them

    Raises:
        ValueError: if there are none
    """
    if not settings:
        raise ValueError("there are no settings; expected some.")
    figure = style.new_figure(style.PAGE_WIDTH, 3.4)
    left, right = figure.subplots(1, 2)
    f1, rate = MEASURES.values()
    style.dress(left, "identity-free", f"hidden: {rate}", f"kept: {f1}")
    style.dress(right, "emotion-free", f"hidden: {f1}", f"kept: {rate}")
    right.invert_xaxis()
    right.invert_yaxis()
    left.axvline(50, color=style.FAINT, linewidth=0.8, zorder=0)
    right.axvline(100 * chosen.guessed_f1, color=style.FAINT, linewidth=0.8, zorder=0)
    profiles = list(dict.fromkeys(map(_profile, settings)))
    counts = sorted({setting.values[MASKED_GROUPS] for setting in settings})
    for setting in settings:
        colour = COLOURS[profiles.index(_profile(setting)) % len(COLOURS)]
        marker = MARKERS[counts.index(setting.values[MASKED_GROUPS]) % len(MARKERS)]
        for axes, x, y in _places(left, right, setting):
            axes.scatter(x, y, s=16, linewidths=0, alpha=0.85, color=colour, marker=marker)
    ring: dict[str, Any] = {"s": 70, "facecolors": "none", "edgecolors": style.INK, "linewidths": 1}
    for axes, x, y in _places(left, right, chosen):
        axes.scatter(x, y, **ring)
    handles = [
        left.scatter([], [], s=16, color=COLOURS[place % len(COLOURS)], label=profile)
        for place, profile in enumerate(profiles)
    ]
    handles += [
        left.scatter(
            [],
            [],
            s=16,
            color=style.INK,
            marker=MARKERS[place % len(MARKERS)],
            label=f"{count} groups masked",
        )
        for place, count in enumerate(counts)
    ]
    handles.append(left.scatter([], [], label="chosen", **ring))
    _legend(figure, handles=handles, ncols=min(4, len(handles)))
    return figure


def _places(left: Axes, right: Axes, setting: Setting) -> list[tuple[Axes, float, float]]:
    """Where a setting lies in either panel, in %."""
    free, other = setting.measured[IDENTITY_FREE], setting.measured[EMOTION_FREE]
    return [
        (left, 100 * free.equal_error_rate, 100 * free.weighted_f1),
        (right, 100 * other.weighted_f1, 100 * other.equal_error_rate),
    ]


def _profile(setting: Setting) -> str:
    return str(setting.values.get("profile", "profile of the run"))


def _legend(figure: Figure, **options: Any) -> None:
    figure.legend(
        loc="outside lower center", fontsize=style.FONT_SIZE - 1, frameon=False, **options
    )
