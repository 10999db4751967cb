"""What models say of clips, in the form in which the page shows it; no web server in here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emovec import api, sphere
from emovec.audio.clips import File
from emovec.errors import AudioError
from emovec.labels import AFFECT_AXES, AFFECT_PROTOTYPES

Predictor = api.AffectPredictor | api.EmotionPredictor

_ERROR_RATE = re.compile(r"(?:test_\w+/)?eer/(?P<pairs>pooled|same_gender)")
_PAIRS = {"pooled": "all", "same_gender": "within a gender"}


@dataclass(frozen=True)
class Heard:
    """What a model hears in a clip.

    Attributes:
        affect: valence, arousal and dominance in [-1, 1]; {} if the model has no affect
        octant: of the affect sphere, in which the affect lies; "" if there is none
        prototypes: distance of the affect to the prototype of each emotion that has one, nearest
            first; {} if there is none
        emotions: probability of each class, likeliest first; {} if the model has none
    """

    affect: dict[str, float]
    octant: str
    prototypes: dict[str, float]
    emotions: dict[str, float]


@dataclass(frozen=True)
class ErrorRate:
    """How often an encoder errs where false acceptances and rejections are equally frequent.

    Attributes:
        what: of which clips; "" if the card does not say
        pairs: of them, in words
        value: with its interval, as the card has it
    """

    what: str
    pairs: str
    value: str


def hear(predictor: Predictor, clip: File) -> Heard:
    """Affect and emotion of a clip.

    Args:
        predictor: of affect, on any scale, or of emotions
        clip: a file of any rate, channels and format that soundfile reads

    Raises:
        AudioError: if it cannot be read, is too short, or no speech is heard in it
    """
    found = predictor.predict(clip)
    emotions = dict(sorted(found.emotions.items(), key=lambda item: -item[1]))
    if isinstance(found, api.EmotionPrediction):
        return Heard({}, "", {}, emotions)
    low, high = predictor.affect_scale  # type: ignore[union-attr]
    raw = np.array([found.valence, found.arousal, found.dominance])
    point = 2 * (raw - low) / (high - low) - 1  # (3,)
    affect = dict(zip(AFFECT_AXES, point.tolist(), strict=True))
    return Heard(affect, octant(point), prototype_distances(point), emotions)


def octant(point: NDArray[np.float64]) -> str:
    """The octant of the sphere that a point (3,) lies in; zero counts as positive.

    >>> octant(np.array([-0.5, 0.6, 0.0]))
    'low valence, high arousal, high dominance'
    """
    number = int(sphere.region(point, 8, AFFECT_AXES))  # signs, of valence and arousal by quadrant
    quadrant, below = number % 4, number >= 4
    signs = (quadrant in (1, 2), quadrant in (2, 3), below)
    return ", ".join(
        f"{'low' if negative else 'high'} {axis}"
        for axis, negative in zip(AFFECT_AXES, signs, strict=True)
    )


def prototype_distances(point: NDArray[np.float64]) -> dict[str, float]:
    r"""Distance of a point (3,) to the prototypes of emotions, nearest first.

    :math:`|a - p|` in [0, :math:`2 \sqrt 3`]; prototypes as ``labels.AFFECT_PROTOTYPES`` has them.

    >>> next(iter(prototype_distances(np.array([0.3, 0.0, 0.4])).items()))
    ('neutral', 0.5)
    """
    distances = {
        emotion: float(np.linalg.norm(point - prototype))
        for emotion, prototype in AFFECT_PROTOTYPES.items()
    }
    return dict(sorted(distances.items(), key=lambda item: item[1]))


def likeness(encoder: api.EncoderModel, a: File, b: File) -> float:
    """Cosine of the embeddings of two clips, in [-1, 1].

    Raises:
        AudioError: if one cannot be read, is too short, no speech is heard in it, or its embedding
            has no direction
    """
    try:
        return api.similarity(a, b, model=encoder)
    except ValueError as error:
        raise AudioError(f"{a}, {b}: {error}") from error


def error_rates(card: str) -> list[ErrorRate]:
    r"""Equal error rates over all speakers, as tables of a model's card have them.

    Those of single training corpora and of single emotions are left out.

    >>> error_rates("| RAVDESS | test_ravdess/eer/pooled | 0.300 [0.27, 0.33] | 9 | 3 |\n")
    [ErrorRate(what='RAVDESS', pairs='all', value='0.300 [0.27, 0.33]')]
    """
    return list(_error_rates(card))


def _error_rates(card: str) -> Iterator[ErrorRate]:
    for line in card.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        for place, cell in enumerate(cells[:-1]):
            found = _ERROR_RATE.fullmatch(cell)
            if found and line.lstrip().startswith("|"):
                what = ", ".join(cells[:place])
                yield ErrorRate(what, _PAIRS[found["pairs"]], cells[place + 1])


def told(error: AudioError, *clips: File) -> str:
    """An error's text, in which clips are called by their names, not by where they lie for now.

    >>> told(AudioError("/tmp/x/a.wav: not found."), "/tmp/x/a.wav")
    'a.wav: not found.'
    """
    text = str(error)
    for clip in clips:
        text = text.replace(str(clip), Path(clip).name)
    return text
