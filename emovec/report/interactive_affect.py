"""Interactive figures of affect: the sphere, and predicted against true.

Shapes: N clips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from emovec import sphere
from emovec.labels import AFFECT_AXES
from emovec.metrics.regression import concordance
from emovec.report import interactive, style
from emovec.report.html_blocks import Drawing
from emovec.report.html_runs import RunFolder
from emovec.report.interactive import HOVER, Option
from emovec.tables.corpus import CorpusInfo


@dataclass(frozen=True, eq=False)
class Affect:
    """What an affect model said of test clips.

    Attributes:
        ids: N
        true: (N, 3) valence, arousal, dominance on the corpus' scale
        predicted: (N, 3) the same
        notes: by id, what else is known of a clip
        regions: of the sphere
        axes: which affect axes are x, y and z
        centre_region: whether the exact centre is a region of its own
    """

    ids: Sequence[str]
    true: NDArray[np.float64]
    predicted: NDArray[np.float64]
    notes: Mapping[str, str]
    regions: int
    axes: Sequence[str]
    centre_region: bool

    @cached_property
    def names(self) -> list[str]:
        """Of the regions."""
        return style.region_names(self.regions, self.axes) + ["centre"] * self.centre_region

    @cached_property
    def colours(self) -> list[str]:
        """Of the regions."""
        return style.region_colours(self.regions) + [style.FAINT] * self.centre_region

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """(N,) from true to predicted, on the corpus' scale."""
        return np.linalg.norm(self.true - self.predicted, axis=1)

    @property
    def hover(self) -> list[str]:
        """(N,) what is shown of a clip."""
        return [
            interactive.lines(
                id_,
                self.notes.get(id_, ""),
                *(
                    f"{axis}: true {true:.2f}, predicted {predicted:.2f}"
                    for axis, true, predicted in zip(AFFECT_AXES, *both, strict=True)
                ),
            )
            for id_, *both in zip(self.ids, self.true, self.predicted, strict=True)
        ]

    def taken(self, rows: Sequence[int]) -> "Affect":
        """Only some of the clips."""
        ids = [self.ids[row] for row in rows]
        rest = (self.notes, self.regions, self.axes, self.centre_region)
        return Affect(ids, self.true[list(rows)], self.predicted[list(rows)], *rest)

    def region(self, signed: NDArray[np.float64]) -> NDArray[np.int64]:
        """(N,) region of affect (N, 3) on [-1, 1], as ``training.tasks.AffectTask`` has it."""
        signed = np.where(np.abs(signed) < 1e-6, 0.0, signed)
        found = sphere.region(signed, self.regions, self.axes)
        if self.centre_region:
            found[(signed == 0).all(axis=1)] = self.regions
        return found


def read_affect(run: RunFolder) -> Affect | None:
    """Affect of a run's predictions; None where it has none."""
    if not run.has_affect:
        return None
    rows, hparams = run.predictions, run.result.run.hparams
    notes = {}
    for id_, clip in run.clips.items():
        of = clip.utterance
        notes[id_] = ", ".join(filter(None, (of.emotion, of.speaker and f"speaker {of.speaker}")))
    return Affect(
        [row["id"] for row in rows],
        np.array([[float(row[axis]) for axis in AFFECT_AXES] for row in rows]),
        np.array([[float(row[f"predicted_{axis}"]) for axis in AFFECT_AXES] for row in rows]),
        notes,
        int(hparams.get("regions") or len(style.REGION_COLOURS)),
        tuple(hparams.get("axes") or sphere.DEFAULT_AXES),
        bool(hparams.get("centre_region")),
    )


def sphere_drawing(affect: Affect, info: CorpusInfo) -> Drawing:
    """The unit sphere with true and predicted affect, coloured by the true region."""
    affect = affect.taken(interactive.spread(len(affect.ids), interactive.MOST_POINTS // 2))
    true, predicted = info.to_signed(affect.true), info.to_signed(affect.predicted)
    regions, hover = affect.region(true), np.array(affect.hover)
    ids = np.array(affect.ids)
    order = [AFFECT_AXES.index(axis) for axis in affect.axes]
    traces = [_wires()]
    for symbol, said, points in (("circle", "true", true), ("diamond", "predicted", predicted)):
        for number in np.unique(regions):
            rows = regions == number
            x, y, z = (interactive.numbers(column) for column in points[rows][:, order].T)
            look = {"color": affect.colours[number], "size": 4.5, "symbol": symbol}
            traces.append(
                {
                    "type": "scatter3d",
                    "mode": "markers",
                    "name": affect.names[number],
                    "legendgroup": affect.names[number],
                    "showlegend": said == "true",
                    "x": x,
                    "y": y,
                    "z": z,
                    "text": [f"{said}<br>{line}" for line in hover[rows].tolist()],
                    "customdata": ids[rows].tolist(),
                    "hovertemplate": HOVER,
                    "marker": {**look, "line": {"color": "@outline", "width": 1}},
                }
            )
    half = (len(traces) - 1) // 2
    shown = {"both": (True, True), "true": (True, False), "predicted": (False, True)}
    options = [
        Option(label, [True, *[first] * half, *[second] * half])
        for label, (first, second) in shown.items()
    ]
    scene = {
        f"{letter}axis": {**interactive.axis(name), "range": [-1.05, 1.05], "nticks": 5}
        for letter, name in zip("xyz", affect.axes, strict=True)
    }
    for one in scene.values():
        del one["automargin"]  # not of three dimensions
        one |= {"showbackground": False, "color": "@ink"}
    camera = {"eye": {"x": 1.3, "y": -1.6, "z": 0.7}, "center": {"x": 0, "y": 0, "z": -0.12}}
    layout = {
        "scene": {**scene, "aspectmode": "cube", "camera": camera},
        "legend": {"orientation": "h", "y": 0, "yanchor": "top", "itemsizing": "constant"},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "height": 560,
    }
    return interactive.drawing(traces, layout, {"Show": options})


def scatter_drawing(affect: Affect, scale: tuple[float, float] | None) -> Drawing:
    """Predicted over true values, an axis at a time, with the diagonal."""
    drawn = affect.taken(interactive.spread(len(affect.ids)))
    values = np.concatenate([drawn.true, drawn.predicted])
    low, high = scale or (float(values.min()), float(values.max()))
    ends = [low - 0.04 * (high - low), high + 0.04 * (high - low)]
    line = {"color": "@faint", "width": 1.5}
    traces = [{"type": "scatter", "mode": "lines", "x": ends, "y": ends, "line": line}]
    traces[0] |= {"hoverinfo": "skip"}
    options, hover = [], drawn.hover
    for number, name in enumerate(AFFECT_AXES):
        traces.append(
            {
                "type": "scattergl" if len(drawn.ids) > 1000 else "scatter",
                "mode": "markers",
                "x": interactive.numbers(drawn.true[:, number]),
                "y": interactive.numbers(drawn.predicted[:, number]),
                "text": hover,
                "customdata": list(drawn.ids),
                "hovertemplate": HOVER,
                "marker": {"color": "@blue", "size": 7, "opacity": 0.65},
            }
        )
        title = name
        if len(affect.ids) > 1:
            found = concordance(affect.predicted[:, number], affect.true[:, number])
            title += f", CCC {found:.3f}"
        visible = [True, *(other == number for other in range(len(AFFECT_AXES)))]
        options.append(Option(name, visible, {"title.text": title}))
    square = {"range": ends, "constrain": "domain"}
    layout = {
        "xaxis": interactive.axis("true", **square),
        "yaxis": interactive.axis("predicted", **square, scaleanchor="x"),
        "showlegend": False,
        "height": 480,
    }
    return interactive.drawing(traces, layout, {"Axis": options})


def _wires() -> dict[str, object]:
    """The unit sphere as one line with gaps."""
    turn = np.linspace(0, 2 * np.pi, 49)
    rings = [(np.cos(turn) * r, np.sin(turn) * r, np.full(49, h)) for r, h in _heights()]
    for azimuth in np.linspace(0, np.pi, 6, endpoint=False):
        rings.append((np.cos(azimuth) * np.sin(turn), np.sin(azimuth) * np.sin(turn), np.cos(turn)))
    gap = np.full((3, 1), np.nan)
    path = np.concatenate([np.concatenate([np.stack(ring), gap], axis=1) for ring in rings], axis=1)
    x, y, z = (interactive.numbers(column, 3) for column in path)
    line = {"color": "@faint", "width": 1.5}
    look = {"type": "scatter3d", "mode": "lines", "hoverinfo": "skip", "showlegend": False}
    return {**look, "x": x, "y": y, "z": z, "line": line}


def _heights() -> list[tuple[float, float]]:
    """Radius and height of five rings."""
    polar = np.pi * np.arange(1, 6) / 6
    return [(float(np.sin(angle)), float(np.cos(angle))) for angle in polar]
