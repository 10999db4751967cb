"""Which clips an encoder can embed: found before a run, so that none of them stops it later."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from emovec.audio.loading import load
from emovec.encoders.base import Encoder
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance


def audible(
    encoder: Encoder, utterances: Sequence[Utterance], root: Path, max_seconds: float
) -> tuple[list[Utterance], list[Skip]]:
    """Clips that are long enough and in which the encoder hears speech enough, and the others.

    Clips are read only if the encoder looks for speech.

    Args:
        encoder: what will embed them
        utterances: rows of a manifest
        root: folder that their paths are relative to
        max_seconds: clips are cut to this length, as they will be
    """

    def fault(utterance: Utterance) -> str:
        seconds = min(utterance.duration, max_seconds)
        if round(seconds * encoder.sample_rate) < encoder.shortest:
            return f"lasts {seconds:.3f} s, too short for the encoder"
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
