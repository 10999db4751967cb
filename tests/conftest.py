"""The small corpus: tones whose loudness and pitch follow affect, of ten speakers."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recipe_modules import load_recipe

from emovec.tables.corpus import CorpusInfo, write_corpus_info
from emovec.tables.manifest import Utterance, write_manifest

# Each core has a process of its own (pytest-xdist); read when torch and NumPy are first imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

EMOTIONS = ("anger", "happiness", "neutral", "sadness")
SPEAKERS = 10
TAKES = 2


def make_clip(speaker: int, emotion: str, take: int) -> tuple[np.ndarray, tuple[float, ...]]:
    """A tone with its affect on 1..7: louder is more aroused, higher more pleasant."""
    random = np.random.default_rng([speaker, EMOTIONS.index(emotion), take])
    valence, arousal, dominance = random.uniform(1, 7, size=3).round(2).tolist()
    time = np.arange(int(16000 * random.uniform(0.3, 0.8))) / 16000
    pitch = (100 + 20 * speaker) * 2 ** (valence / 7)
    tone = 0.02 * arousal * np.sin(2 * np.pi * pitch * time)
    noise = 0.002 * dominance * random.standard_normal(len(time))
    return (tone + noise).astype(np.float32), (valence, arousal, dominance)


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with audio/, manifest.csv and corpus.json: 80 clips, 10 speakers, 4 emotions."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "audio").mkdir()
    utterances = []
    for speaker in range(SPEAKERS):
        for emotion in EMOTIONS:
            for take in range(TAKES):
                wave, (valence, arousal, dominance) = make_clip(speaker, emotion, take)
                name = f"{speaker}_{emotion}_{take}"
                soundfile.write(folder / "audio" / f"{name}.wav", wave, 16000)
                utterances.append(
                    Utterance(
                        id=name,
                        path=f"audio/{name}.wav",
                        start=None,
                        stop=None,
                        duration=len(wave) / 16000,
                        speaker=f"s{speaker}",
                        gender="female" if speaker % 2 else "male",
                        session=str(speaker % 3),
                        emotion=emotion,
                        valence=valence,
                        arousal=arousal,
                        dominance=dominance,
                    )
                )
    write_manifest(folder / "manifest.csv", utterances)
    info = CorpusInfo(
        "small",
        len(utterances),
        SPEAKERS,
        licence="CC0-1.0",
        affect_scale=(1.0, 7.0),
        affect_source="rated",
    )
    write_corpus_info(folder / "corpus.json", info)
    return folder


@pytest.fixture(scope="session")
def train() -> Callable[[list[str]], None]:
    """The main function of recipes/ser/train.py."""
    return load_recipe("ser/train.py").main
