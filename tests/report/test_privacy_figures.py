"""Figures of representations: what is drawn where."""

import pytest

from emovec.privacy.curves import Point
from emovec.privacy.search import Setting
from emovec.privacy.selection import Measures
from emovec.report.privacy_figures import masking_curves, trade_off


def test_curves_are_drawn_by_their_end_in_order_of_masking() -> None:
    points = [
        Point("emotion", 32, Measures(0.2, 0.5)),
        Point("emotion", 0, Measures(0.6, 0.1)),
        Point("identity", 0, Measures(0.6, 0.1)),
        Point("identity", 32, Measures(0.2, 0.5)),
        Point("identity", 16, Measures(0.3, 0.15)),
    ]
    figure = masking_curves({"LR-VAE": points, "A-VAE": points[:2]}, Measures(0.2, 0.5))
    f1_left, f1_right, rate_left, rate_right = figure.axes
    assert f1_left.get_title() == "identity end masked"
    assert f1_left.lines[0].get_xydata().tolist() == [[0, 60], [32, 20]]
    assert f1_right.lines[0].get_xydata().tolist() == [[0, 60], [16, 30], [32, 20]]
    assert rate_right.lines[0].get_xydata().tolist() == [[0, 10], [16, 15], [32, 50]]
    assert rate_left.lines[-1].get_ydata()[0] == 50 and f1_left.lines[-1].get_ydata()[0] == 20
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["LR-VAE", "A-VAE"]


def test_the_chosen_setting_has_a_ring() -> None:
    measured = {
        "origin": Measures(0.6, 0.1),
        "identity_free": Measures(0.58, 0.42),
        "emotion_free": Measures(0.25, 0.12),
    }
    settings = [
        Setting({"profile": profile, "masked_groups": count}, measured, 0.2)
        for profile in ("linear", [1.0, 0.0])
        for count in (8, 16)
    ]
    figure = trade_off(settings, settings[1])
    left, right = figure.axes
    assert left.collections[4].get_offsets().tolist() == [[pytest.approx(42), pytest.approx(58)]]
    assert right.collections[4].get_offsets().tolist() == [[pytest.approx(25), pytest.approx(12)]]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["linear", "[1.0, 0.0]", "8 groups masked", "16 groups masked", "chosen"]
    assert right.xaxis_inverted() and right.yaxis_inverted()


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no curves"):
        masking_curves({}, Measures(0.2, 0.5))
    with pytest.raises(ValueError, match="no settings"):
        trade_off([], Setting({}, {}, 0.2))
