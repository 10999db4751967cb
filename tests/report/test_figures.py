import errno
import os
import struct
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from emovec.errors import StorageError
from emovec.labels import AFFECT_AXES
from emovec.metrics.regression import concordance
from emovec.report.figures import (
    affect_sphere,
    confusion,
    learning_curves,
    predicted_against_true,
    save_figure,
)
from emovec.report.style import REGION_COLOURS, region_names

RANDOM = np.random.default_rng(0)
TRUE = RANDOM.uniform(-1, 1, (40, 3))
PREDICTED = TRUE / 2 + RANDOM.normal(0, 0.2, (40, 3))
HISTORY = [
    {"epoch": 1, "seconds": 3.0, "train/loss": 2.0, "valid/loss": 2.5, "valid/ccc/mean": 0.1},
    {"epoch": 2, "seconds": 3.0, "train/loss": 1.0, "valid/ccc/mean": 0.2},
]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def drawn(figure):
    figure.draw_without_rendering()
    return figure


def test_learning_curves_show_losses_and_concordance():
    loss, ccc = learning_curves(HISTORY).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in loss.lines}
    assert lines["train"] == [[1, 2.0], [2, 1.0]]
    assert lines["valid"][0] == [1, 2.5] and np.isnan(lines["valid"][1][1])
    assert [line.get_label() for line in ccc.lines] == ["valid mean"]
    assert (loss.get_xlabel(), loss.get_ylabel(), ccc.get_ylabel()) == ("epoch", "loss", "CCC")


@pytest.mark.parametrize("history", [HISTORY[:1], HISTORY[1:], [{"epoch": 1, "train/loss": 1.0}]])
def test_learning_curves_of_one_epoch(history):
    loss, *_ccc = drawn(learning_curves(history)).axes
    assert loss.lines
    assert [tick for tick in loss.get_xticks() if tick != int(tick)] == []


@pytest.mark.parametrize(
    ("name", "label"), [("valid/eer/pooled", "EER"), ("valid/emotion/weighted_f1", "weighted F1")]
)
def test_learning_curves_show_what_the_epoch_is_chosen_by(name, label):
    history = [
        {"epoch": 1, "train/loss": 1.0, name: 0.5},
        {"epoch": 2, "train/loss": 0.5, name: 0.4},
    ]
    _loss, chosen = drawn(learning_curves(history)).axes
    assert chosen.get_ylabel() == label
    assert chosen.lines[0].get_ydata().tolist() == [0.5, 0.4]


def test_learning_curves_of_no_epoch():
    with pytest.raises(ValueError, match="history is empty"):
        learning_curves([])


def test_predicted_against_true_has_a_panel_an_axis():
    figure = drawn(predicted_against_true(PREDICTED, TRUE, AFFECT_AXES, (-1, 1)))
    assert len(figure.axes) == 3
    for column, (panel, name) in enumerate(zip(figure.axes, AFFECT_AXES, strict=True)):
        value = concordance(PREDICTED[:, column], TRUE[:, column])
        assert panel.get_title() == f"{name}, CCC {value:.3f}"
        points = panel.collections[0].get_offsets()
        assert np.array_equal(points, np.stack([TRUE[:, column], PREDICTED[:, column]], axis=1))
        assert panel.get_xlim() == panel.get_ylim() and panel.get_aspect() == 1
        assert panel.get_xticks().tolist() == panel.get_yticks().tolist()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_predicted_against_true_of_few_points(count):
    figure = predicted_against_true(TRUE[:count], TRUE[:count], AFFECT_AXES, (-1, 1))
    assert ("CCC" in drawn(figure).axes[0].get_title()) == (count > 1)


def test_predictions_beyond_the_scale_are_seen():
    predicted = np.full((2, 3), 9.5)
    panel = predicted_against_true(predicted, predicted, AFFECT_AXES, (1, 7)).axes[0]
    assert panel.get_xlim()[0] < 1 and panel.get_xlim()[1] > 9.5


@pytest.mark.parametrize("regions", [8, 18, 32])
def test_affect_sphere_shows_all_points_twice(regions):
    figure = drawn(affect_sphere(TRUE, PREDICTED, regions))
    assert [axes.get_title() for axes in figure.axes] == ["true", "predicted"]
    for axes, points in zip(figure.axes, (TRUE, PREDICTED), strict=True):
        shown = np.concatenate([np.stack(c._offsets3d, axis=1) for c in axes.collections[1:]])
        assert sorted(shown.tolist()) == sorted(points[:, [1, 0, 2]].tolist())
        labels = axes.get_xlabel(), axes.get_ylabel(), axes.get_zlabel()
        assert labels == ("arousal", "valence", "dominance")


def test_affect_sphere_turns_with_its_axes():
    axes = ("dominance", "arousal", "valence")
    panel = affect_sphere([[0.1, -0.2, 0.3]], [[0.1, -0.2, 0.3]], 8, axes).axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel(), panel.get_zlabel()) == axes
    assert np.ravel(panel.collections[1]._offsets3d).tolist() == [0.3, -0.2, 0.1]
    assert panel.get_legend_handles_labels()[1] == ["D+ A- V+"]


def test_predicted_points_have_the_colour_of_the_true_region():
    true, predicted = np.array([[0.5, 0.5, 0.5]]), np.array([[-0.5, -0.5, -0.5]])
    figure = affect_sphere(true, predicted, 8)
    for axes in figure.axes:
        colour = matplotlib.colors.to_hex(axes.collections[1].get_facecolor()[0])
        assert colour.upper() == REGION_COLOURS[0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["A+ V+ D+"]


def test_affect_sphere_of_no_points():
    drawn(affect_sphere(TRUE[:0], TRUE[:0], 8))


def test_region_confusion_shows_shares_and_counts():
    figure = drawn(confusion([[3, 1], [0, 0]], ["a", "b"], "region"))
    axes = figure.axes[0]
    assert texts(axes) == ["0.75\n3", "0.25\n1", "-", "-"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a (4)", "b (0)"]
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]


@pytest.mark.parametrize("regions", [8, 18, 32])
def test_region_confusion_of_nothing(regions):
    drawn(confusion(np.zeros((regions, regions), dtype=int), region_names(regions), "region"))


@pytest.mark.parametrize(
    "draw", [affect_sphere, lambda x, y, _: predicted_against_true(x, y, "VAD", (0, 1))]
)
def test_bad_arrays_are_errors(draw):
    with pytest.raises(ValueError, match="expected the same"):
        draw(TRUE, PREDICTED[:3], 8)
    with pytest.raises(ValueError, match="NaN"):
        draw(TRUE, np.full(TRUE.shape, np.nan), 8)


def test_a_matrix_that_does_not_fit_its_names_is_an_error():
    with pytest.raises(ValueError, match=r"matrix is \(2, 2\); expected \(3, 3\)"):
        confusion(np.zeros((2, 2)), ["a", "b", "c"], "region")


def test_save_figure(tmp_path):
    save_figure(learning_curves(HISTORY), tmp_path / "figures" / "curves.png")
    content = (tmp_path / "figures" / "curves.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (1380, 520)  # 6.9 by 2.6 inches


def test_a_figure_on_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"curves\.png"):
        save_figure(learning_curves(HISTORY), tmp_path / "curves.png")
    assert os.listdir(tmp_path) == []


def test_pyplot_with_its_global_state_is_never_imported():
    code = "import sys, emovec.report.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
