"""Clips with a stretch of other speech or of noise over them, as WavLM learns to denoise.

Chen et al. (2022), "WavLM: Large-scale self-supervised pre-training for full stack speech
processing", IEEE JSTSP 16, algorithm 1. What happens to a clip depends on the seed, the epoch, the
clip and its batch alone, so that a resumed run hears the same as an unbroken one.
"""

from collections.abc import Sequence
from math import sqrt
from pathlib import Path

import numpy as np

from emovec.audio.augment import clip_generator
from emovec.audio.sounds import (
    SILENCE,
    Sound,
    audible_stretch,
    audio_files,
    inspect_sound,
    mean_square,
)
from emovec.errors import HparamError

SPEECH_LEVELS = (-5.0, 5.0)  # dB of the clip over other speech, drawn evenly
NOISE_LEVELS = (-5.0, 20.0)


class Mixing:
    """Other clips of a batch, or noise, over parts of some of its clips.

    Args:
        probability: of each clip to be mixed
        noise: folder; None: with other clips only
        noise_probability: of noise instead of another clip, where there is a folder
        seed: of all draws

    Attributes:
        skipped: files of noise that cannot be used, each with the reason

    Raises:
        HparamError: if a probability is none, or the folder is missing or without usable files
    """

    def __init__(
        self,
        probability: float,
        noise: str | Path | None = None,
        noise_probability: float = 0.1,
        seed: int = 0,
    ) -> None:
        for name, value in (("probability", probability), ("noise_probability", noise_probability)):
            if not 0 <= value <= 1:
                raise HparamError(f"mixing: {name} is {value}; expected 0 to 1. Change it.")
        self.probability = probability
        self.noise_probability = noise_probability
        self.seed = seed
        self.skipped: tuple[str, ...] = ()
        self._sounds: list[Sound] = []
        if noise is not None:
            self._open(Path(noise))

    def __call__(
        self, waves: Sequence[np.ndarray], keys: Sequence[str], sample_rate: int, epoch: int
    ) -> list[np.ndarray]:
        """The clips of a batch as they are heard in an epoch.

        Args:
            waves: B arrays (T_i,) float32
            keys: B names, of which each draws for itself
            sample_rate: in Hz
            epoch: from 0

        Returns:
            B arrays (T_i,) float32; those that nothing is mixed into are the same

        Raises:
            AudioError: if a file of noise has become unreadable
        """
        mixed = []
        for place, (wave, key) in enumerate(zip(waves, keys, strict=True)):
            random = clip_generator(self.seed, epoch, f"mixing {key}")
            if random.random() >= self.probability or len(wave) < 2:
                mixed.append(wave)
                continue
            with_noise = bool(self._sounds) and random.random() < self.noise_probability
            levels = NOISE_LEVELS if with_noise else SPEECH_LEVELS
            if with_noise:
                other = audible_stretch(self._sounds, len(wave), sample_rate, random)
            elif len(waves) > 1:
                step = int(random.integers(1, len(waves)))
                other = waves[(place + step) % len(waves)]
            else:
                other = np.zeros(0, dtype=np.float32)
            mixed.append(lay_over(wave, other, random.uniform(*levels), random))
        return mixed

    def _open(self, folder: Path) -> None:
        found = {path: inspect_sound(path) for path in audio_files("noise", folder)}
        self._sounds = [sound for sound in found.values() if isinstance(sound, Sound)]
        self.skipped = tuple(f"{path}: {why}" for path, why in found.items() if type(why) is str)
        if not self._sounds:
            raise HparamError(
                f"noise is {folder}, with {len(found)} files, none usable: "
                f"{list(self.skipped[:5])}; expected audio that is not silent. Choose others."
            )


def lay_over(
    wave: np.ndarray, other: np.ndarray, level: float, random: np.random.Generator
) -> np.ndarray:
    r"""A clip with a stretch of another one over at most half of it.

    .. math::
        y_{s + n} = x_{s + n} + \sqrt{\frac{P_x}{P_o} 10^{-L / 10}} \, o_{s' + n}, \quad 0 \le n < l

    with P the mean square of the whole clips. The length l is drawn evenly from 1 to half the clip
    (or the other clip, if that is less), then the places s and s'.

    Args:
        wave: (T,) float32
        other: (any,) float32; an empty or silent one leaves the clip as it is
        level: L in dB
        random: of the length and the places

    Returns:
        (T,) float32

    >>> quiet = lay_over(np.ones(8), np.ones(2), 20.0, np.random.default_rng(0)).round(3)
    >>> sorted(set(quiet.tolist()))[0], 1 <= int((quiet > 1).sum()) <= 2
    (1.0, True)
    """
    power = mean_square(other)
    longest = min(len(wave) // 2, len(other))
    if power < SILENCE or longest < 1:
        return wave
    length = int(random.integers(1, longest + 1))
    start = int(random.integers(len(wave) - length + 1))
    other_start = int(random.integers(len(other) - length + 1))
    scale = sqrt(mean_square(wave) / power * 10 ** (-level / 10))
    mixed = wave.astype(np.float32)
    mixed[start : start + length] += scale * other[other_start : other_start + length]
    return mixed
