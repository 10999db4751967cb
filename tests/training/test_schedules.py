"""Learning-rate schedules: factors in [0, 1] that depend on the step alone."""

import numpy as np
import pytest

from emovec.training.schedules import SCHEDULES, WARM_UP, warm_up_cosine, warm_up_inverse_root


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_are_shares_of_the_peak_which_is_reached(name: str) -> None:
    factors = [SCHEDULES[name](step, 20_000) for step in range(20_001)]
    assert min(factors) >= 0 and max(factors) == 1.0


@pytest.mark.parametrize("name", SCHEDULES)
def test_steps_that_were_not_counted_have_the_last_rate(name: str) -> None:
    """No rate is negative, where the loss would be climbed, and none rises again."""
    last = SCHEDULES[name](1000, 1000)
    beyond = [SCHEDULES[name](step, 1000) for step in (1001, 1100, 2500)]
    assert beyond == [last] * 3 or name == "warm_up_inverse_root"


def test_warm_up_is_a_straight_line() -> None:
    shares = np.linspace(0, WARM_UP, 7)
    found = [warm_up_cosine(share, 1) for share in shares]
    np.testing.assert_allclose(found, shares / WARM_UP, atol=1e-12)


def test_decline_is_half_a_cosine() -> None:
    """cos^2 of a quarter turn, another form of (1 + cos) / 2."""
    turns = np.linspace(0, 1, 9)
    found = [warm_up_cosine(WARM_UP + (1 - WARM_UP) * turn, 1) for turn in turns]
    np.testing.assert_allclose(found, np.cos(turns * np.pi / 2) ** 2, atol=1e-12)


def test_there_is_no_step_where_the_parts_meet() -> None:
    before, after = warm_up_cosine(WARM_UP - 1e-9, 1), warm_up_cosine(WARM_UP + 1e-9, 1)
    assert before == pytest.approx(after, abs=1e-7)


def test_root_schedule_against_its_two_halves() -> None:
    for step in (0, 10, 7_999, 8_000, 50_000):
        done = step + 1
        expected = done / 8_000 if done <= 8_000 else np.sqrt(8_000 / done)
        assert warm_up_inverse_root(step, 10) == pytest.approx(expected)
