"""Demonstration corpus: synthesised voices that babble with emotion; never evidence of anything.

Twenty invented speakers say nonsense in six emotions. Valence, arousal and dominance are drawn
around the prototypes of ``emovec.labels``; what is heard departs from what is drawn, as a
speaker's expression departs from a rating, and each cue departs once more. A listener who knew
every cue without error would reach a concordance of about 0.8.

By design a network finds more here than a regression on functionals: part of the affect is heard
only in the breaths between phrases, some 40 dB below the voice, where functionals of the sounding
frames do not listen. A network's lead over them on this corpus says nothing of real speech.

Made, not found; the folder holds::

    audio/f03_anger_02.wav      speaker _ emotion _ take
    manifest.csv  corpus.json
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from emovec.corpora import voice
from emovec.labels import AFFECT_AXES, AFFECT_PROTOTYPES
from emovec.tables.corpus import CorpusInfo, write_corpus_info
from emovec.tables.manifest import Utterance, write_manifest

EMOTIONS = ("anger", "happiness", "sadness", "neutral", "fear", "surprise")
VERSION = "1"  # add one when the same seed gives other clips: kept ones are then made anew
SPEAKERS = 20
TAKES = 6
AFFECT_SCALE = (1.0, 7.0)
_AFFECT_SPREAD = 0.25  # of the affect drawn around a prototype
_HEARD_SPREAD = (0.35, 0.24, 0.22)  # of valence, arousal and dominance heard around those drawn

# Cue: what one unit of valence, arousal and dominance adds to it, and the deviation of the rest.
# Directions after Scherer (2003), Speech Communication 40, 227-256, table 2; sizes are ours.
CUES = {
    "pitch": (0.3, 3.2, -1.6, 1.6),  # semitones
    "accent": (0.1, 0.5, 0.1, 0.3),  # log of the accents' height
    "declination": (0.6, 0.0, -0.8, 0.7),  # semitones a second
    "ending": (3.0, 0.5, -2.0, 1.8),  # semitones at the end of the clip
    "lilt": (1.5, 0.3, 0.0, 1.2),  # semitones that pitch moves within a vowel
    "loudness": (0.5, 5.0, 3.0, 2.4),  # dB
    "tilt": (-0.3, -2.4, -1.4, 1.4),  # dB an octave
    "open": (0.02, -0.10, -0.10, 0.05),  # open quotient
    "breath": (0.1, -0.5, -0.7, 0.4),  # log of the amplitude of breath in the voice
    "roughness": (-0.35, 0.4, -0.3, 0.4),  # log of jitter and shimmer
    "rate": (0.04, 0.18, 0.03, 0.10),  # log of sounds a second
    "unrest": (-0.4, 0.2, -0.4, 0.3),  # log of the deviation of durations
    "smile": (0.03, 0.01, 0.0, 0.02),  # log of formants 2 and 3
    "jaw": (0.0, 0.05, 0.03, 0.03),  # log of formant 1
    "larynx": (0.0, 0.015, -0.035, 0.012),  # log of all formants
    "tremor": (-0.4, 0.2, -0.9, 0.35),  # log of a 6 Hz wave in pitch
    "breath_centre": (0.6, 0.0, 0.0, 0.15),  # log of the frequency of a breath between phrases
    "breath_width": (0.0, 0.0, -1.1, 0.25),  # log of its width
    "breath_force": (0.0, 1.1, 0.0, 0.2),  # log of its amplitude
    "pause": (-0.15, -0.6, -0.5, 0.3),  # log of the chance of a pause
}


@dataclass(frozen=True)
class Speaker:
    """An invented speaker; habits are added to the cues."""

    name: str
    gender: str
    pitch: float  # Hz
    stretch: np.ndarray  # (5,) factors of the formants
    habits: dict[str, float]


def synthesise(folder: Path, seed: int = 0, workers: int = 2) -> None:
    """Write the corpus: audio, manifest.csv and corpus.json.

    The same seed gives the same files, however many workers there are.

    Args:
        folder: made if it is not there
        seed: of all that is random
        workers: threads; NumPy's transforms let others run

    Raises:
        StorageError: if a table cannot be written
    """
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    speakers = [invent_speaker(number, seed) for number in range(SPEAKERS)]
    takes = [(s, e, t) for s in speakers for e in EMOTIONS for t in range(TAKES)]

    def make(number: int) -> Utterance:
        speaker, emotion, take = takes[number]
        generator = np.random.default_rng([seed, 1, number])
        affect = draw_affect(emotion, generator)
        wave, words = say(speaker, affect, generator)
        name = f"{speaker.name}_{emotion}_{take:02d}"
        path = f"audio/{name}.wav"
        soundfile.write(folder / path, wave, voice.SAMPLE_RATE, subtype="PCM_16")
        low, high = AFFECT_SCALE
        rated = np.round(low + (high - low) * (affect + 1) / 2, 2).tolist()
        return Utterance(
            id=name,
            path=path,
            start=None,
            stop=None,
            duration=len(wave) / voice.SAMPLE_RATE,
            speaker=speaker.name,
            gender=speaker.gender,
            session=str(int(speaker.name[1:]) % 5 + 1),
            text=words,
            emotion=emotion,
            **dict(zip(AFFECT_AXES, rated, strict=True)),
        )

    with ThreadPoolExecutor(workers) as pool:
        utterances = list(pool.map(make, range(len(takes))))
    write_manifest(folder / "manifest.csv", utterances)
    write_corpus_info(folder / "corpus.json", INFO)


INFO = CorpusInfo(
    name="demo",
    release=VERSION,
    language="none (babble)",
    licence="CC0-1.0",
    citation="emovec's demonstration corpus: synthesised, never evidence",
    utterances=SPEAKERS * len(EMOTIONS) * TAKES,
    speakers=SPEAKERS,
    affect_scale=AFFECT_SCALE,
    affect_source="prototype",
)


def invent_speaker(number: int, seed: int) -> Speaker:
    """Speaker of an even (female) or odd (male) number."""
    generator = np.random.default_rng([seed, 0, number])
    female = number % 2 == 0
    draw = generator.standard_normal
    stretch = np.exp((0.15 if female else 0.0) + 0.045 * draw() + 0.025 * draw(5))
    habits = {name: 0.6 * cue[-1] * draw() for name, cue in CUES.items()}
    habits["loudness"] = 2.5 * draw()
    habits["breath"] = 0.4 * draw() + 0.3 * female
    return Speaker(
        name=f"{'f' if female else 'm'}{number // 2:02d}",
        gender="female" if female else "male",
        pitch=(195.0 if female else 118.0) * 2 ** (2.0 * draw() / 12),
        stretch=stretch,
        habits=habits,
    )


def draw_affect(emotion: str, generator: np.random.Generator) -> np.ndarray:
    """(3,) valence, arousal and dominance in [-1, 1] around the emotion's prototype."""
    prototype = np.array(AFFECT_PROTOTYPES[emotion])
    return np.clip(prototype + _AFFECT_SPREAD * generator.standard_normal(3), -1, 1)


def say(
    speaker: Speaker, affect: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, str]:
    """A clip of 1.5 to 3 s and what is said in it.

    Args:
        speaker: who speaks
        affect: (3,) valence, arousal, dominance in [-1, 1]
        generator: source of all that is random

    Returns:
        (T,) wave in [-1, 1] at ``voice.SAMPLE_RATE``, and its syllables
    """
    heard = affect + _HEARD_SPREAD * generator.standard_normal(3)
    cues = {}
    for name, (*weights, rest) in CUES.items():
        cues[name] = heard @ weights + rest * generator.standard_normal() + speaker.habits[name]
    frames = round(generator.uniform(1.5, 3.0) * voice.SAMPLE_RATE / voice.HOP)
    sounds, seconds, words = _babble(frames * voice.HOP / voice.SAMPLE_RATE, cues, generator)
    pitch = speaker.pitch * 2 ** (_melody(frames, sounds, seconds, cues, generator) / 12)
    smile, jaw = np.exp(cues["smile"]), np.exp(cues["jaw"])
    throat = voice.Throat(
        stretch=speaker.stretch * np.exp(cues["larynx"]) * [jaw, smile, smile, 1, 1],
        open_quotient=float(np.clip(0.6 + cues["open"], 0.35, 0.85)),
        tilt=cues["tilt"] + 2.5,
        breath=0.06 * np.exp(cues["breath"]),
        jitter=min(0.008 * np.exp(cues["roughness"]), 0.05),
        shimmer=min(0.05 * np.exp(cues["roughness"]), 0.3),
    )
    wave = voice.speak(sounds, seconds, np.clip(pitch, 55, 520), throat, generator)
    return _record(wave, cues["loudness"], generator), words


def _babble(
    length: float, cues: dict[str, float], generator: np.random.Generator
) -> tuple[list[voice.Sound], np.ndarray, str]:
    """Sounds that fill a clip's length, their seconds, and the syllables they make."""
    pace, unrest = np.exp(-cues["rate"]), 0.18 * np.exp(cues["unrest"])
    pause = min(0.16 * np.exp(cues["pause"]), 0.4)
    breath = _breath(cues)
    sounds, seconds, words = [breath], [generator.uniform(0.2, 0.35)], []
    while sum(seconds) < length - 0.2:
        if words and generator.random() < pause:
            sounds.append(breath)
            seconds.append(generator.uniform(0.15, 0.35))
        consonant = generator.choice(list(voice.CONSONANTS))
        vowel = generator.choice(list(voice.VOWELS))
        for sound in (*voice.CONSONANTS[consonant], voice.VOWELS[vowel]):
            sounds.append(sound)
            seconds.append(sound.seconds * pace * np.exp(unrest * generator.standard_normal()))
        words.append(f"{consonant}{vowel}")
    sounds.append(voice.SILENCE)
    seconds.append(length)
    return sounds, np.array(seconds), "".join(words)


def _breath(cues: dict[str, float]) -> voice.Sound:
    """Breath between phrases, drawn as the mood has it; far softer than the voice."""
    return voice.Sound(
        0.25,
        voice.SILENCE.formants,
        frication=0.010 * np.exp(cues["breath_force"]),
        centre=2000 * np.exp(cues["breath_centre"]),
        width=0.45 * np.exp(cues["breath_width"]),
    )


def _melody(
    frames: int,
    sounds: list[voice.Sound],
    seconds: np.ndarray,
    cues: dict[str, float],
    generator: np.random.Generator,
) -> np.ndarray:
    """(F,) pitch against the speaker's own, in semitones."""
    times = np.arange(frames) * voice.HOP / voice.SAMPLE_RATE
    starts = np.cumsum(seconds) - seconds
    end = starts[-1]
    melody = cues["pitch"] + (cues["declination"] - 1.5) * (times - end / 2)
    melody += (cues["ending"] - 1.5) * np.clip((times - end + 0.4) / 0.4, 0, 1)
    height = 2.0 * np.exp(cues["accent"])
    for sound, start, long in zip(sounds, starts, seconds, strict=True):
        if sound.voicing < voice.VOWEL:
            continue
        place = (times - start) / long  # 0 to 1 within the vowel
        accent = height * generator.choice([0.2, 0.5, 1.6]) * generator.uniform(0.7, 1.3)
        melody += accent * np.exp(-((place - 0.5) ** 2) / 0.8)
        melody += cues["lilt"] * (place - 0.5) * ((place > 0) & (place < 1))
    wobble = 0.25 * np.exp(cues["tremor"])
    phase = generator.uniform(0, 2 * np.pi)
    return melody + min(wobble, 1.2) * np.sin(2 * np.pi * 6 * times + phase)


def _record(wave: np.ndarray, loudness: float, generator: np.random.Generator) -> np.ndarray:
    """The wave at its level, in a room that is never quite silent."""
    level = 10 ** ((loudness - 29) / 20)
    loud = np.abs(wave) > 0.1 * np.abs(wave).max()
    wave = wave * (level / np.sqrt(np.mean(wave[loud] ** 2)))
    noise = np.fft.rfft(generator.standard_normal(len(wave)))
    slope = generator.uniform(0.2, 0.6)
    noise /= (1.0 + np.arange(len(noise))) ** slope
    room = np.fft.irfft(noise, len(wave))
    wave = wave + room * (10 ** (generator.uniform(-78, -66) / 20) / room.std())
    return (0.95 * np.tanh(wave / 0.95)).astype(np.float32)
