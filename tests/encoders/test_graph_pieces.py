"""Pieces of clips for exported graphs: which windows they hold, against loops."""

import pytest
import torch

from emovec.encoders import graph_pieces
from emovec.encoders.graph_pieces import Pieces, whole_clips, window_pieces

SIZE = 5


def windows_of(pieces, hop):
    """What the graph makes of pieces: for each clip its windows, as tuples of frames."""
    found = {}
    for frames, clip, weight in zip(
        pieces.features, pieces.clips.tolist(), pieces.weights.tolist(), strict=True
    ):
        values = frames[:, 0].tolist()
        if len(values) < SIZE:
            held = [tuple(values)]
        else:
            held = [tuple(values[n : n + SIZE]) for n in range(0, len(values) - SIZE + 1, hop)]
        assert len(held) == weight
        found.setdefault(clip, []).extend(held)
    return {clip: sorted(held) for clip, held in found.items()}


@pytest.mark.parametrize("hop", [1, 2])
@pytest.mark.parametrize("dropped", [0.0, 0.05, 0.6])
def test_windows_against_loops(hop, dropped, monkeypatch):
    monkeypatch.setattr(graph_pieces, "WINDOWS_OF_PIECE", 4)
    generator = torch.Generator().manual_seed(0)
    counts = [40, 5, 23, 31]
    frames = 1 + torch.arange(4 * 40.0).view(4, 40, 1)
    said = torch.rand(4, 40, generator=generator) >= dropped
    said[:, 2] = True
    expected = {}
    sounding = torch.zeros(4, (40 - SIZE) // hop + 1, dtype=torch.bool)
    for clip, count in enumerate(counts):
        said[clip, count:] = False
        for number, first in enumerate(range(0, count - SIZE + 1, hop)):
            places = [n for n in range(first, first + SIZE) if said[clip, n]]
            if places:
                sounding[clip, number] = True
                held = tuple(frames[clip, n, 0].item() for n in places)
                expected.setdefault(clip, []).append(held)
    pieces = window_pieces(frames, said, sounding, SIZE, hop)
    assert windows_of(pieces, hop) == {clip: sorted(held) for clip, held in expected.items()}
    assert max(map(len, pieces.features)) <= SIZE + 3 * hop


def test_whole_clips():
    features = torch.arange(24.0).view(2, 4, 3)
    pieces = whole_clips(features, torch.tensor([4, 2]))
    assert [of.tolist() for of in pieces.features] == [
        features[0].tolist(),
        features[1, :2].tolist(),
    ]
    embeddings = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert torch.equal(pieces.mean(embeddings, 2), embeddings)


def test_means_and_batches():
    features = [torch.zeros(size, 1) for size in (3, 2, 3, 3)]
    pieces = Pieces(features, torch.tensor([0, 1, 0, 1]), torch.tensor([3.0, 2.0, 1.0, 2.0]))
    assert [numbers.tolist() for numbers in pieces.batches(2)] == [[1], [0, 2], [3]]
    embeddings = torch.tensor([[4.0], [1.0], [0.0], [2.0]])
    assert pieces.mean(embeddings, 2).tolist() == [[3.0], [1.5]]
