"""The figure of a learned filterbank, and what it draws of filters that are known."""

import math

import numpy as np
import pytest
import torch

from emovec.encoders.filterbank import Filterbank, frequency_responses
from emovec.report.filter_figures import filter_responses, write_filter_figure


def test_responses_against_loops():
    torch.manual_seed(0)
    bank, frequencies = Filterbank(3), [0.05, 0.3]
    found = frequency_responses(bank, torch.tensor(frequencies))
    window = np.hamming(160)
    with torch.no_grad():
        silence = bank(torch.zeros(1, 160))[0].numpy()
        for column, frequency in enumerate(frequencies):
            answers = []
            for phase in range(16):
                angle = 2 * math.pi * (frequency * np.arange(160) + phase / 16)
                frame = np.sin(angle) * window
                frame = (frame - frame.mean()) / frame.std()
                answers.append(bank(torch.from_numpy(frame).float()[None])[0].numpy())
            expected = np.abs(np.array(answers) - silence).mean(axis=0)
            np.testing.assert_allclose(found[:, column].numpy(), expected, rtol=1e-3, atol=1e-4)


def test_a_filter_answers_to_its_own_frequency():
    """Of a bank whose last layer is the only one that does anything."""
    bank = Filterbank(2)
    with torch.no_grad():
        for layer in bank.layers:
            layer.weight.zero_()
        for layer in bank.layers[:-1]:  # the sample in the middle goes through
            layer.weight[0, 0, layer.kernel_size[0] // 2] = 0.1
        taps = torch.arange(11) * 5
        for filter_, frequency in enumerate((0.02, 0.07)):
            bank.layers[-1].weight[filter_, 0] = torch.cos(2 * torch.pi * frequency * taps)
    frequencies = torch.arange(1, 20) / 200  # 5 samples apart, taps know frequencies up to 0.1
    responses = frequency_responses(bank, frequencies)
    found = frequencies[responses.argmax(dim=1)]
    torch.testing.assert_close(found, torch.tensor([0.02, 0.07]), atol=0.006, rtol=0)


def test_filters_are_in_order_of_their_centres():
    frequencies = np.array([100.0, 200.0, 300.0, 400.0])
    responses = [[0, 1, 2, 1], [9, 3, 0, 0], [0, 0, 0, 0], [1, 1, 1, 4]]
    figure = filter_responses(responses, frequencies)
    picture, curve, bar = figure.axes
    drawn = np.asarray(picture.collections[0].get_array()).reshape(4, 4)
    np.testing.assert_allclose(drawn, [[1, 1 / 3, 0, 0], [0, 0, 0, 0], [0, 0.5, 1, 0.5],
                                       [0.25, 0.25, 0.25, 1]])  # fmt: skip
    mel, learned = curve.lines
    np.testing.assert_allclose(learned.get_ydata(), [0.1, 0.1, 0.3, 0.4])
    assert learned.get_xdata().tolist() == [1, 2, 3, 4]
    spacing = np.diff(np.log1p(1000 * mel.get_ydata() / 700))
    np.testing.assert_allclose(spacing, math.log1p(400 / 700) / 5)
    assert picture.get_xlabel() == "frequency (kHz)" and "relative" in bar.get_ylabel()


def test_files(tmp_path):
    torch.manual_seed(0)
    write_filter_figure(Filterbank(), 8000, tmp_path)
    assert (tmp_path / "filters.png").read_bytes().startswith(b"\x89PNG")
    first = (tmp_path / "filters.svg").read_bytes()
    write_filter_figure(Filterbank(1), 16000, tmp_path)
    assert (tmp_path / "filters.svg").read_bytes() != first


@pytest.mark.parametrize(
    ("responses", "frequencies", "message"),
    [
        (np.ones((2, 3)), np.ones(2), r"\(2, 3\) and frequencies \(2,\)"),
        (np.ones(3), np.ones(3), r"expected \(D, N\)"),
        (np.ones((2, 1)), np.ones(1), "N > 1"),
        (np.full((2, 3), np.nan), np.arange(3.0), "NaN"),
        (-np.ones((2, 3)), np.arange(3.0), "negative"),
    ],
)
def test_other_responses(responses, frequencies, message):
    with pytest.raises(ValueError, match=message):
        filter_responses(responses, frequencies)
