"""Masked spans: HuBERT's number and lengths, against a construction one frame at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.audio.spans import draw_spans


def runs(hidden: np.ndarray) -> list[int]:
    """Lengths of the runs of hidden frames."""
    text = "".join("x" if frame else " " for frame in hidden)
    return [len(run) for run in text.split()]


def one_at_a_time(frames: int, probability: float, span: int, seed: int) -> list[bool]:
    """The same draws, each frame asked whether a span covers it."""
    random = np.random.default_rng(seed)
    span = max(1, min(span, frames // 2))
    count = int(frames * probability / span + random.random())
    count = min(max(count, 1), frames - span + 1)
    starts = random.choice(frames - span + 1, size=count, replace=False).tolist()
    return [any(start <= frame < start + span for start in starts) for frame in range(frames)]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 200), st.floats(0, 1), st.integers(1, 12), st.integers(0, 99))
def test_spans_equal_the_oracle_s(frames: int, probability: float, span: int, seed: int) -> None:
    hidden = draw_spans(frames, probability, span, np.random.default_rng(seed))
    assert hidden.tolist() == one_at_a_time(frames, probability, span, seed)
    shortest = max(1, min(span, frames // 2))
    assert runs(hidden) and min(runs(hidden)) >= shortest  # at least one, none cut


def test_the_share_is_the_published_one() -> None:
    """0.8 F / 10 spans: a frame stays if none of the ten places before it was drawn."""
    random = np.random.default_rng(0)
    shares = [draw_spans(780, 0.8, 10, random).mean() for _ in range(300)]
    assert np.mean(shares) == pytest.approx(1 - (1 - 0.08) ** 10, abs=0.01)


def test_several_spans_may_hide_a_short_clip() -> None:
    """At 0.8: a clip of two frames gets one span or, with chance 0.6, two."""
    random = np.random.default_rng(0)
    hidden = [draw_spans(2, 0.8, 5, random).all() for _ in range(1000)]
    assert np.mean(hidden) == pytest.approx(0.6, abs=0.06)


def test_something_of_a_short_clip_is_left_by_one_span() -> None:
    random = np.random.default_rng(0)
    for frames in range(2, 10):
        assert all(not draw_spans(frames, 0.5, 5, random).all() for _ in range(20))
    assert draw_spans(10, 0.0, 5, random).sum() == 5  # one even so
