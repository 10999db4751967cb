"""Clips a second of each augmentation in one thread, beside SpeechBrain's own on the same clips.

    python benchmarks/augment.py
    python benchmarks/augment.py --noise=FOLDER --impulse_responses=FOLDER

Clips are white, 3 and 8 s at 16 kHz. Without folders of your own, noises are WAV files of 5 s and
rooms decay within 1 s. SpeechBrain's get the same files, the levels of noise as a range, and the
clips as batches of 8, as in its recipes; its AddReverb draws one room a batch, ours one a clip. Its
kind of babble mixes the clips of a batch and so has no counterpart here. "cold" decodes every
file again: what the first epoch pays until the small files are kept.

Seconds are those that the processor spent on this process, so that others on the machine count
little. Medians of repetitions, and the ratio of the two.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch
from speechbrain.augment.time_domain import AddNoise, AddReverb, SpeedPerturb

from emovec.audio import sounds
from emovec.audio.augment import Augmentation
from emovec.tables.files import AUDIO_SUFFIXES

SAMPLE_RATE = 16000
SECONDS = (3.0, 8.0)
CLIPS, BATCH = 32, 8
REPETITIONS = 7
FILES = 40


def main() -> None:
    """Measure all kinds and print a table for each length."""
    arguments = parse()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        noise = arguments.noise or make_noises(folder / "noise")
        rooms = arguments.impulse_responses or make_rooms(folder / "rooms")
        started = time.process_time()
        files = len(list_files(noise)) + len(list_files(rooms))
        Augmentation(noise, impulse_responses=rooms)
        print(f"opening {files} files: {time.process_time() - started:.2f} s")
        for seconds in SECONDS:
            report(seconds, make_kinds(noise, rooms), make_references(folder, noise, rooms))


def parse() -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--noise", type=Path, help="folder, also for music and talkers")
    parser.add_argument("--impulse_responses", type=Path, help="folder")
    return parser.parse_args()


def list_files(folder: Path) -> list[Path]:
    """Audio there and below."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)


def make_noises(folder: Path) -> Path:
    """A folder of white noise."""
    folder.mkdir()
    for number in range(FILES):
        noise = 0.1 * np.random.default_rng(number).standard_normal(5 * SAMPLE_RATE)
        soundfile.write(folder / f"{number}.wav", noise, SAMPLE_RATE)
    return folder


def make_rooms(folder: Path) -> Path:
    """A folder of noise that decays by 60 dB in a second."""
    folder.mkdir()
    envelope = 10 ** (-3 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    for number in range(FILES):
        tail = 0.1 * envelope * np.random.default_rng(number).uniform(-1, 1, SAMPLE_RATE)
        tail[20] = 0.9
        soundfile.write(folder / f"{number}.wav", tail, SAMPLE_RATE)
    return folder


def make_kinds(noise: Path, rooms: Path) -> dict[str, Augmentation]:
    """Each kind alone, and all as a recipe has them."""
    all_folders = {"noise": noise, "music": noise, "speech": noise, "impulse_responses": rooms}
    return {
        "noise": Augmentation(noise=noise, clean_share=0),
        "babble": Augmentation(speech=noise, clean_share=0),
        "reverberation": Augmentation(impulse_responses=rooms, clean_share=0),
        "speed": Augmentation(speeds=(0.9, 1.1)),
        "all": Augmentation(**all_folders, speeds=(0.9, 1.0, 1.1)),
    }


def make_references(folder: Path, noise: Path, rooms: Path) -> dict[str, Callable]:
    """SpeechBrain's, of (B, T) clips."""
    sources = {}
    for kind, source in (("noise", noise), ("rooms", rooms)):
        sources[kind] = folder / f"{kind}.csv"
        lines = ["ID,duration,wav,wav_format,wav_opts"]
        for number, path in enumerate(list_files(source)):
            lines.append(f"{number},{soundfile.info(path).duration},{path},{path.suffix[1:]},")
        sources[kind].write_text("\n".join(lines) + "\n")
    add_noise = AddNoise(str(sources["noise"]), snr_low=0, snr_high=15, pad_noise=True)
    return {
        "noise": lambda clips: add_noise(clips, torch.ones(len(clips))),
        "reverberation": AddReverb(str(sources["rooms"])),
        "speed": SpeedPerturb(SAMPLE_RATE, [90, 110]),
    }


def report(seconds: float, kinds: dict[str, Augmentation], references: dict[str, Callable]) -> None:
    """A table of clips a second."""
    random = np.random.default_rng(0)
    clips = 0.1 * random.standard_normal((CLIPS, int(seconds * SAMPLE_RATE)), dtype=np.float32)
    print(f"\n{seconds:g} s       clips/s    cold  SpeechBrain  ratio")
    for kind, augmentation in kinds.items():
        ours, cold, theirs = [], [], []
        for repetition in range(REPETITIONS):
            sounds._kept.cache_clear()
            cold.append(speed_of_ours(augmentation, clips, repetition))
            for epoch in range(REPETITIONS, REPETITIONS + 2):  # enough to decode most files
                speed_of_ours(augmentation, clips, epoch)
            ours.append(speed_of_ours(augmentation, clips, REPETITIONS))
            if kind in references:
                theirs.append(speed_of_theirs(references[kind], torch.from_numpy(clips)))
        line = f"{kind:13} {median(ours):7.0f} {median(cold):7.0f}"
        if theirs:
            line += f"  {median(theirs):11.0f}  {median(ours) / median(theirs):5.1f}"
        print(line, flush=True)


def speed_of_ours(augmentation: Augmentation, clips: np.ndarray, epoch: int) -> float:
    """Clips a second, one after another as a worker reads them."""
    started = time.process_time()
    for number, clip in enumerate(clips):
        augmentation(clip, SAMPLE_RATE, str(number), epoch)
    return len(clips) / (time.process_time() - started)


def speed_of_theirs(reference: Callable, clips: torch.Tensor) -> float:
    """Clips a second in batches."""
    started = time.process_time()
    for batch in clips.split(BATCH):
        reference(batch)
    return len(clips) / (time.process_time() - started)


if __name__ == "__main__":
    main()
