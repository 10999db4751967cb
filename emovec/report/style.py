"""One look for all figures: sizes for print, colours that colour-blind readers tell apart."""

import colorsys
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emovec.sphere import DEFAULT_AXES, GRIDS

COLUMN_WIDTH = 3.5  # inches; 9 cm, a column
PAGE_WIDTH = 6.9  # inches; 17.5 cm, a page
FONT_SIZE = 8  # points, at these widths
SMALL_FONT_SIZE = 6.5
INK = "#222222"
FAINT = "#BBBBBB"

# Okabe & Ito (2008), "Color universal design"; wine of Tol's muted scheme instead of its yellow,
# which is lost on white paper
REGION_COLOURS = (
    "#D55E00",  # vermillion
    "#0072B2",  # blue
    "#56B4E9",  # sky blue
    "#E69F00",  # orange
    "#CC79A7",  # reddish purple
    "#000000",  # black
    "#009E73",  # bluish green
    "#882255",  # wine
)

# the same emotion has the same colour everywhere; Okabe & Ito, then Tol's muted scheme
EMOTION_COLOURS = {
    "anger": "#D55E00",
    "happiness": "#E8DC30",
    "sadness": "#0072B2",
    "neutral": "#555555",
    "fear": "#CC79A7",
    "disgust": "#009E73",
    "surprise": "#56B4E9",
    "contempt": "#882255",
    "calm": "#44AA99",
    "boredom": "#332288",
    "excitement": "#E69F00",
    "frustration": "#661100",
    "other": "#BBBBBB",
    "no_agreement": "#000000",
}


def region_colours(regions: int) -> list[str]:
    """A colour for each region of the sphere.

    Eight regions have eight colours. More cannot be told apart: there the hue tells the sector
    and the lightness the band, light towards high dominance.

    >>> region_colours(8)[0]
    '#D55E00'
    >>> len(set(region_colours(32)))
    32
    """
    if regions == len(REGION_COLOURS):
        return list(REGION_COLOURS)
    sectors, bands = GRIDS[regions]
    colours = []
    for band in range(bands):
        lightness = 0.75 - 0.5 * band / (bands - 1)
        for sector in range(sectors):
            rgb = colorsys.hls_to_rgb(sector / sectors, lightness, 0.8)
            colours.append("#" + "".join(f"{round(255 * part):02X}" for part in rgb))
    return colours


def region_names(regions: int, axes: Sequence[str] = DEFAULT_AXES) -> list[str]:
    """A name for each region of the sphere: the signs of eight, else the index.

    >>> region_names(8)[:3]
    ['A+ V+ D+', 'A- V+ D+', 'A- V- D+']
    >>> region_names(18)[:3]
    ['0', '1', '2']
    """
    if regions != len(REGION_COLOURS):
        return [str(region) for region in range(regions)]
    x, y, z = (axis[0].upper() for axis in axes)
    quadrants = (f"{x}+ {y}+", f"{x}- {y}+", f"{x}- {y}-", f"{x}+ {y}-")
    return [f"{quadrant} {z}{sign}" for sign in "+-" for quadrant in quadrants]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; width and height in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def dress(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    """Give axes their texts and the common look."""
    axes.set_title(title, fontsize=FONT_SIZE, color=INK)
    axes.set_xlabel(x_label, fontsize=FONT_SIZE, color=INK)
    axes.set_ylabel(y_label, fontsize=FONT_SIZE, color=INK)
    axes.tick_params(labelsize=FONT_SIZE - 1, width=0.6, length=2.5, colors=INK)
    for name, spine in axes.spines.items():
        spine.set_linewidth(0.6)
        spine.set_visible(name in ("left", "bottom"))
