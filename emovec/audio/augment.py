"""Noise, music, babble, reverberation and speed, drawn anew for each clip and epoch.

Kinds and levels are those of Kaldi's x-vector recipe with MUSAN and recorded impulse responses
(Snyder et al., 2018, "X-vectors: robust DNN embeddings for speaker recognition"). What happens to
a clip depends on the seed, the epoch and the clip's id alone, not on the loader's worker, the order
or the batch, so that a resumed run hears the same clips as an unbroken one.

Nothing is clipped: a sum may leave [-1, 1].
"""

import hashlib
from collections.abc import Sequence
from copy import copy
from fractions import Fraction
from functools import lru_cache
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from scipy.signal import fftconvolve
from torchaudio.transforms import Resample

from emovec.audio.sounds import (
    SILENCE,
    Sound,
    audible_stretch,
    audio_files,
    inspect_sound,
    mean_square,
    whole_sound,
)
from emovec.errors import HparamError

LEVELS = {  # dB of the clip over the noise
    "noise": (15, 10, 5, 0),
    "music": (15, 10, 8, 5),
    "babble": (20, 17, 15, 13),  # over each single talker
}
FEWEST_TALKERS, MOST_TALKERS = 3, 7


class Augmentation:
    """Clips made noisy in one of several ways, or left clean.

    A kind exists if its folder is given; all files there and below are used. With no folder every
    clip stays clean. Of MUSAN the folders are ``noise``, ``music`` and ``speech``.

    A changed speed changes the voice, too; some recipes count it as a new speaker. Here the clip
    keeps its speaker, so that by default speed is left alone.

    Args:
        noise: folder; one noise a clip, repeated if shorter (Kaldi: several in turn, 1 s apart)
        music: folder; one piece a clip
        speech: folder; 3 to 7 talkers a clip
        impulse_responses: folder; one room a clip
        clean_share: probability that a clip stays clean; the rest is shared equally by the kinds
        speeds: one is drawn for each clip, before anything else; at 0.9 it gets 1/0.9 as long
        seed: of all draws

    Attributes:
        kinds: those that exist, of noise, music, babble and reverberation
        skipped: files that cannot be used, each with the reason

    Raises:
        HparamError: if a folder is missing or holds no usable file, or a value is out of range
    """

    def __init__(
        self,
        noise: str | Path | None = None,
        music: str | Path | None = None,
        speech: str | Path | None = None,
        impulse_responses: str | Path | None = None,
        clean_share: float = 0.2,
        speeds: Sequence[float] = (1.0,),
        seed: int = 0,
    ) -> None:
        if not 0 <= clean_share <= 1:
            raise HparamError(f"clean_share is {clean_share}; expected 0 to 1. Change it.")
        if not speeds or not all(0.5 <= speed <= 2 for speed in speeds):
            raise HparamError(f"speeds are {list(speeds)}; expected some of 0.5 to 2. Change them.")
        self.clean_share = clean_share
        self.speeds = tuple(speeds)
        self.seed = seed
        self.skipped: tuple[str, ...] = ()
        self._sounds: dict[str, list[Sound]] = {}
        for kind, key, folder in (
            ("noise", "noise", noise),
            ("music", "music", music),
            ("babble", "speech", speech),
            ("reverberation", "impulse_responses", impulse_responses),
        ):
            if folder is not None:
                self._open(kind, f"{key} is {folder}", audio_files(key, Path(folder)))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What may happen to a clip that does not stay clean."""
        return tuple(self._sounds)

    def with_talkers(self, files: Sequence[Path]) -> "Augmentation":
        """The same, with babble of these files: for example of some thousand training clips.

        Each file is opened once here. A clip's own speaker may be among its talkers.

        Raises:
            HparamError: if none of them can be used
        """
        other = copy(self)
        other._sounds = dict(self._sounds)
        other._open("babble", f"babble of {len(files)} files", files)
        return other

    def __call__(self, wave: np.ndarray, sample_rate: int, key: str, epoch: int) -> np.ndarray:
        """A clip as it is heard in an epoch.

        Args:
            wave: (T,) float32
            sample_rate: in Hz
            key: the clip's id
            epoch: from 0

        Returns:
            (T,) float32, or round up T / speed at another speed; a silent clip as it is

        Raises:
            AudioError: if a file has become unreadable
        """
        if mean_square(wave) < SILENCE:
            return wave
        random = clip_generator(self.seed, epoch, key)
        wave = change_speed(wave, self.speeds[random.integers(len(self.speeds))])
        if not self.kinds or random.random() < self.clean_share:
            return wave
        kind = self.kinds[random.integers(len(self.kinds))]
        if kind == "reverberation":
            sounds = self._sounds[kind]
            return reverberate(wave, whole_sound(sounds[random.integers(len(sounds))], sample_rate))
        count = random.integers(FEWEST_TALKERS, MOST_TALKERS + 1) if kind == "babble" else 1
        noises = [
            audible_stretch(self._sounds[kind], len(wave), sample_rate, random)
            for _ in range(count)
        ]
        return add_noises(wave, noises, random.choice(LEVELS[kind], size=count).tolist())

    def _open(self, kind: str, what: str, files: Sequence[Path]) -> None:
        found = {path: inspect_sound(path) for path in files}
        sounds = [sound for sound in found.values() if isinstance(sound, Sound)]
        skipped = [f"{path}: {why}" for path, why in found.items() if isinstance(why, str)]
        if not sounds:
            raise HparamError(
                f"{what}, with {len(skipped)} files, none usable: {skipped[:5]}; "
                "expected audio that is not silent. Choose others, or leave it out."
            )
        self._sounds[kind] = sounds
        self.skipped += tuple(skipped)


def clip_generator(seed: int, epoch: int, key: str) -> np.random.Generator:
    """Random numbers that belong to a clip in an epoch, the same in every process.

    >>> a, b = (clip_generator(1, 2, "clip").random() for _ in range(2))
    >>> a == b != clip_generator(1, 3, "clip").random()
    True
    """
    digest = hashlib.sha256(key.encode()).digest()[:16]
    return np.random.default_rng([seed, epoch, int.from_bytes(digest, "big")])


def add_noises(
    wave: np.ndarray, noises: Sequence[np.ndarray], levels: Sequence[float]
) -> np.ndarray:
    r"""A clip with noises, each at its own level below the clip.

    .. math::
        y = x + \sum_i n_i \sqrt{\frac{P_x}{P_{n_i}} 10^{-L_i / 10}}

    with P the mean square (Kaldi's wav-reverberate). Silent noises are left out.

    Args:
        wave: (T,)
        noises: each (T,)
        levels: as many, dB of the clip over the noise

    Returns:
        (T,) float32

    >>> add_noises(np.array([1, -1, 1, -1]), [np.full(4, 0.5)], [20]).round(4).tolist()
    [1.100000023841858, -0.8999999761581421, 1.100000023841858, -0.8999999761581421]
    """
    mixed = wave.astype(np.float32)
    signal = mean_square(wave)
    for noise, level in zip(noises, levels, strict=True):
        power = mean_square(noise)
        if power >= SILENCE:
            mixed += sqrt(signal / power * 10 ** (-level / 10)) * noise
    return mixed


def reverberate(wave: np.ndarray, response: np.ndarray) -> np.ndarray:
    """A clip in a room, as long, as loud, and with its direct path where it was.

    The convolution is shifted back by the place of the response's largest sample, and scaled to the
    clip's mean square (Kaldi's wav-reverberate with shift-output and normalize-output).

    Args:
        wave: (T,) float32
        response: (any,) float32; a silent one leaves the clip as it is

    Returns:
        (T,) float32

    >>> reverberate(np.array([1.0, 0, 0]), np.array([0, -2.0, 0])).round(4).tolist()
    [-1.0, 0.0, 0.0]
    """
    peak = int(np.abs(response).argmax())
    if response[peak] == 0:
        return wave
    # sample n hears tap k of the response if 0 <= n + peak - k < T: none beyond T from the peak
    first = max(0, peak - len(wave) + 1)
    taps = response[first : peak + len(wave)] / np.abs(response[peak])
    reverberant = fftconvolve(wave, taps)[peak - first :][: len(wave)]
    power = mean_square(reverberant)
    if power < SILENCE:
        return wave
    return (reverberant * sqrt(mean_square(wave) / power)).astype(np.float32, copy=False)


def change_speed(wave: np.ndarray, speed: float) -> np.ndarray:
    """A clip played faster or slower, its pitch changed with it (sox speed).

    Args:
        wave: (T,) float32
        speed: 1 leaves it; taken to the nearest fraction with a denominator of at most 100

    Returns:
        (T / speed, rounded up) float32
    """
    ratio = Fraction(speed).limit_denominator(100)
    if ratio == 1:
        return wave
    return _resampler(ratio)(torch.from_numpy(wave)).numpy()


_resampler = lru_cache(lambda ratio: Resample(ratio.numerator, ratio.denominator))
