"""Spans of frames that masked prediction hides."""

import numpy as np
from numpy.typing import NDArray


def draw_spans(
    frames: int, probability: float, span: int, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Frames of one clip that are hidden, in spans that may overlap.

    F * probability / span of them, rounded at random, at least one, start at different places
    (Hsu et al., 2021, "HuBERT", IEEE/ACM TASLP 29; their code draws at least two). In a clip of
    fewer than two spans a span is half the clip, so that one span leaves something to predict it
    from [ours]; where the probability draws several, they may hide a short clip as a whole.

    Args:
        frames: F of the clip, at least 1
        probability: share of frames in spans, before overlaps
        span: frames of each
        random: of the places

    Returns:
        (F,) bool, true inside a span

    >>> draw_spans(6, 1.0, 3, np.random.default_rng(2)).sum() in range(3, 7)
    True
    >>> draw_spans(1, 0.1, 3, np.random.default_rng(2)).tolist()
    [True]
    """
    span = max(1, min(span, frames // 2))
    places = frames - span + 1
    count = int(np.clip(int(frames * probability / span + random.random()), 1, places))
    starts = random.choice(places, size=count, replace=False)
    hidden = np.zeros(frames, dtype=bool)
    hidden[(starts[:, None] + np.arange(span)).ravel()] = True
    return hidden
