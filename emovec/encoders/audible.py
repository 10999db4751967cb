"""Which clips an encoder can embed: found before a run, so that none of them stops it later."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from emovec.audio.loading import load
from emovec.corpora.speaker_tests import check_part
from emovec.encoders.base import Encoder
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance


def has_frame(encoder: Encoder, seconds: float, speed: float = 1.0) -> bool:
    """Whether a clip has a frame of the encoder when it is played at a speed.

    >>> encoder = Encoder()
    >>> encoder.sample_rate, encoder.shortest = 16000, 1360  # 0.085 s
    >>> [has_frame(encoder, seconds, 1.1) for seconds in (0.09, 0.0935)]
    [False, True]
    """
    return round(seconds * encoder.sample_rate / speed) >= encoder.shortest


def audible_parts(
    encoder: Encoder,
    parts: Mapping[str, Sequence[Utterance]],
    root: Path,
    max_seconds: float,
    fastest: float = 1.0,
) -> tuple[dict[str, list[Utterance]], list[Skip]]:
    """The parts of a run without the clips that :func:`audible` leaves out, and these.

    Args:
        encoder: what will embed them
        parts: clips by the name of their part
        root: folder that their paths are relative to
        max_seconds: clips are cut to this length, as they will be
        fastest: speed at which those of "train" may be played

    Raises:
        SplitError: if fewer than two clips of a part are left
    """
    kept: dict[str, list[Utterance]] = {}
    skipped: list[Skip] = []
    for name, utterances in parts.items():
        speed = fastest if name == "train" else 1.0
        kept[name], silent = audible(encoder, utterances, root, max_seconds, speed)
        check_part(name, kept[name], silent)
        skipped += silent
    return kept, skipped


def audible(
    encoder: Encoder,
    utterances: Sequence[Utterance],
    root: Path,
    max_seconds: float,
    fastest: float = 1.0,
) -> tuple[list[Utterance], list[Skip]]:
    """Clips that are long enough and in which the encoder hears speech enough, and the others.

    Clips are read only if the encoder looks for speech.

    Args:
        encoder: what will embed them
        utterances: rows of a manifest
        root: folder that their paths are relative to
        max_seconds: clips are cut to this length, as they will be
        fastest: speed at which they may be played
    """
    played = "" if fastest == 1 else f" at speed {fastest:g}"

    def fault(utterance: Utterance) -> str:
        seconds = min(utterance.duration, max_seconds)
        if not has_frame(encoder, seconds, fastest):
            return f"lasts {seconds:.3f} s, too short for the encoder{played}"
        if not encoder.needs_speech:
            return ""
        wave = load(
            root / utterance.path,
            utterance.start,
            utterance.stop,
            sample_rate=encoder.sample_rate,
            max_seconds=max_seconds,
        )
        heard = encoder.hears(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
        return "" if heard.item() else f"{encoder.unheard} in it"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        faults = list(pool.map(fault, utterances))
    pairs = list(zip(utterances, faults, strict=True))
    skipped = [Skip(utterance.id, said) for utterance, said in pairs if said]
    return [utterance for utterance, said in pairs if not said], skipped
