"""Figure of a learned filterbank: what frequencies its filters answer to.

Shapes: D filters, N frequencies.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from emovec.encoders.filterbank import Filterbank, frequency_responses
from emovec.report import style
from emovec.report.figures import save_figure
from emovec.report.pair_run import save_svg

STEPS = 160  # frequencies; the 160 samples of a frame tell no more apart


def filter_responses(responses: ArrayLike, frequencies: ArrayLike) -> Figure:
    """Responses of filters in order of their centre, and these centres against the mel scale.

    A filter's centre is the frequency that it answers to most strongly; its responses are drawn
    relative to that one. The mel scale is drawn as centres of as many filters that share it evenly
    between 0 and the highest frequency.

    Args:
        responses: (D, N), at least 0
        frequencies: (N,) Hz, rising

    Raises:
        ValueError: if the shapes do not fit, or a value is not finite or negative
    """
    amounts, steps = np.asarray(responses, dtype=float), np.asarray(frequencies, dtype=float)
    _check(amounts, steps)
    places = amounts.argmax(axis=1)  # (D,)
    order = np.argsort(places, kind="stable")
    peaks = amounts.max(axis=1, keepdims=True)
    relative = np.divide(amounts, peaks, out=np.zeros(amounts.shape), where=peaks > 0)[order]
    centres, numbers = steps[places[order]], np.arange(1, len(amounts) + 1)
    figure = style.new_figure(style.PAGE_WIDTH, 3.0)
    picture, curve = figure.subplots(1, 2, width_ratios=(3, 2))
    style.dress(picture, "", "frequency (kHz)", "filter, by its centre")
    edges = np.arange(len(numbers) + 1) + 0.5
    image = picture.pcolormesh(
        _edges(steps) / 1000, edges, relative, cmap="Blues", vmin=0, vmax=1, rasterized=True
    )
    bar = figure.colorbar(image, ax=picture)
    bar.set_label("response, relative to its strongest", fontsize=style.FONT_SIZE)
    bar.ax.tick_params(labelsize=style.FONT_SIZE - 1, width=0.6, length=2.5)
    bar.outline.set_linewidth(0.6)
    style.dress(curve, "", "filter, by its centre", "centre (kHz)")
    mel = _mel_centres(len(numbers), steps[-1]) / 1000
    curve.plot(numbers, mel, "--", color=style.FAINT, label="mel scale", linewidth=1.2)
    curve.plot(numbers, centres / 1000, ".", color="#0072B2", label="learned", markersize=4)
    curve.legend(loc="lower right", fontsize=style.FONT_SIZE - 1, frameon=False)
    for axis in (picture.yaxis, curve.xaxis):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def write_filter_figure(bank: Filterbank, sample_rate: int, folder: Path) -> None:
    """Write filters.png and filters.svg of a filterbank.

    Args:
        bank: whose filters
        sample_rate: Hz
        folder: of the figures

    Raises:
        StorageError: if they cannot be written
    """
    frequencies = torch.arange(1, STEPS) / (2 * STEPS)  # cycles a sample
    responses = frequency_responses(bank, frequencies).cpu().numpy()
    figure = filter_responses(responses, sample_rate * frequencies.numpy())
    save_figure(figure, folder / "filters.png")
    save_svg(figure, folder / "filters.svg")


def _check(responses: NDArray[np.float64], frequencies: NDArray[np.float64]) -> None:
    if responses.ndim != 2 or frequencies.shape != responses.shape[1:] or len(frequencies) < 2:
        raise ValueError(
            f"responses are {responses.shape} and frequencies {frequencies.shape}; "
            "expected (D, N) and (N,) with N > 1."
        )
    if not (np.isfinite(responses).all() and (responses >= 0).all()):
        raise ValueError("responses have NaN, infinite or negative ones; expected finite ones.")


def _edges(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N + 1,) borders between frequencies (N,)."""
    middle = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[2 * steps[0] - middle[0]], middle, [2 * steps[-1] - middle[-1]]])


def _mel_centres(size: int, highest: float) -> NDArray[np.float64]:
    """(D,) Hz; mel = 1127 ln(1 + f / 700) (O'Shaughnessy, 1987)."""
    mels = np.linspace(0, np.log1p(highest / 700), size + 2)[1:-1]
    return 700 * np.expm1(mels)
