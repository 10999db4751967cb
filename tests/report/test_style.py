import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from emovec.labels import EMOTIONS
from emovec.report.style import EMOTION_COLOURS, REGION_COLOURS, region_colours, region_names
from emovec.sphere import GRIDS, region

# Machado, Oliveira & Fernandes (2009), severity 1, in linear RGB
DEUTERANOPIA = [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
]
PROTANOPIA = [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
]
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, vision):
    """CIE 1976 L*a*b* of a colour as somebody with this vision sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = TO_XYZ @ np.clip(vision @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


COMMON = ("anger", "happiness", "sadness", "neutral", "fear", "disgust", "surprise")


@pytest.mark.parametrize("vision", [np.eye(3), np.array(DEUTERANOPIA), np.array(PROTANOPIA)])
@pytest.mark.parametrize("colours", [REGION_COLOURS, [EMOTION_COLOURS[name] for name in COMMON]])
def test_colours_differ_for_the_colour_blind(vision, colours):
    for first, second in itertools.combinations(colours, 2):
        distance = np.linalg.norm(lab(first, vision) - lab(second, vision))
        assert distance > 15, (first, second, distance)


def test_each_emotion_has_a_colour_of_its_own():
    assert set(EMOTION_COLOURS) == set(EMOTIONS)
    assert len(set(EMOTION_COLOURS.values())) == len(EMOTIONS)


@pytest.mark.parametrize("regions", sorted(GRIDS))
def test_each_region_has_a_colour_and_a_name_of_its_own(regions):
    assert len(set(region_colours(regions))) == regions
    assert len(set(region_names(regions))) == regions


@pytest.mark.parametrize(
    "axes", [("arousal", "valence", "dominance"), ("dominance", "arousal", "valence")]
)
def test_names_of_octants_are_their_signs(axes):
    names = region_names(8, axes)
    for signs in itertools.product((1, -1), repeat=3):
        name = names[region(signs, 8, axes)]
        for letter, sign in zip("VAD", signs, strict=True):
            assert f"{letter}{'+' if sign > 0 else '-'}" in name.split()
