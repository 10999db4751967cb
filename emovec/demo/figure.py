"""The affect sphere with a clip on it, as plotly's own plain data.

Colours are for a light page; a dark one turns them round, see ``words.CSS``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from emovec import sphere
from emovec.labels import AFFECT_AXES, AFFECT_PROTOTYPES
from emovec.report import interactive, style
from emovec.report.html_blocks import Drawing

INK, LINES = "#555555", "#BBBBBB"


def sphere_figure(affect: Mapping[str, float]) -> Drawing:
    """The unit sphere with the prototypes of emotions, and a clip where there is one.

    Args:
        affect: valence, arousal and dominance in [-1, 1]; {}: no clip yet
    """
    traces = [_wires(), _prototypes()]
    if affect:
        traces.append(_clip(affect))
    scene: dict[str, Any] = {
        f"{letter}axis": {
            "title": {"text": name},
            "range": [-1.05, 1.05],
            "nticks": 3,
            "color": INK,
            "showgrid": False,
            "zerolinecolor": LINES,
            "showbackground": False,
        }
        for letter, name in zip("xyz", sphere.DEFAULT_AXES, strict=True)
    }
    scene["aspectmode"] = "cube"
    scene["camera"] = {
        "eye": {"x": 0.65, "y": -2.5, "z": 0.65},
        "center": {"x": 0, "y": 0, "z": -0.15},
    }
    clear = "rgba(0, 0, 0, 0)"
    layout = {
        "scene": scene,
        "showlegend": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "height": 420,
        "paper_bgcolor": clear,
        "plot_bgcolor": clear,
        "font": {"color": INK, "family": "system-ui, sans-serif"},
    }
    return interactive.drawing(traces, layout)


def _wires() -> dict[str, Any]:
    """Five parallels and twelve meridians as one line with gaps."""
    turn = np.linspace(0, 2 * np.pi, 49)
    parallels = [(turn, np.full(49, polar)) for polar in np.pi * np.arange(1, 6) / 6]
    meridians = [(np.full(49, azimuth), turn / 2) for azimuth in np.pi * np.arange(12) / 6]
    pieces = []
    for azimuth, polar in (*parallels, *meridians):
        ring = sphere.to_affect(np.stack([np.ones(49), azimuth, polar], axis=-1))  # (49, 3)
        pieces += [ring, np.full((1, 3), np.nan)]
    return {
        **_places(np.concatenate(pieces)),
        "mode": "lines",
        "hoverinfo": "skip",
        "line": {"color": LINES, "width": 1.5},
    }


def _prototypes() -> dict[str, Any]:
    return {
        **_places(np.array(list(AFFECT_PROTOTYPES.values()))),
        "mode": "markers+text",
        "text": list(AFFECT_PROTOTYPES),
        "textposition": "top center",
        "textfont": {"color": INK, "size": 11},
        "hovertemplate": "prototype of %{text}<extra></extra>",
        "marker": {"color": INK, "size": 3, "symbol": "diamond"},
    }


def _clip(affect: Mapping[str, float]) -> dict[str, Any]:
    """The clip, and a line to it from the centre."""
    colour = style.REGION_COLOURS[0]
    said = "<br>".join(f"{axis} {affect[axis]:+.2f}" for axis in AFFECT_AXES)
    return {
        **_places(np.array([[0.0, 0.0, 0.0], [affect[axis] for axis in AFFECT_AXES]])),
        "mode": "lines+markers",
        "text": ["centre", said],
        "hovertemplate": interactive.HOVER,
        "line": {"color": colour, "width": 5},
        "marker": {"color": colour, "size": [0, 9]},
    }


def _places(points: np.ndarray) -> dict[str, Any]:
    """Affect (N, 3) as x, y and z of the sphere."""
    order = [AFFECT_AXES.index(axis) for axis in sphere.DEFAULT_AXES]
    x, y, z = (interactive.numbers(column) for column in points[:, order].T)
    return {"type": "scatter3d", "x": x, "y": y, "z": z}
