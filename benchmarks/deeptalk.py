"""DeepTalk's mean over 1 s windows every 10 ms: windows that share frames against one by one.

    python benchmarks/deeptalk.py FOLDER
    python benchmarks/deeptalk.py FOLDER --all --threads=2

FOLDER holds audio at any depth. Window by window means: the frames of each window go through the
whole network as a batch of one. On both sides level, silence and frames are seen to once a clip,
and reading is left out. Sides take turns clip by clip, so that what else
the machine does weighs on both alike.

Targets: at least 5 times as fast, and the same embeddings within 1e-5. The parameters are counted
against the published ones.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emovec.audio.inputs import collect
from emovec.audio.loading import load
from emovec.encoders.deeptalk import DeepTalk

CLIPS = 36
WARM_UP = 2  # clips
PUBLISHED = {"filterbank": 21_240, "style_tokens": 435_872, "": 457_112}


def main() -> None:
    """Print seconds of both sides, their ratio and their distance."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with audio")
    parser.add_argument("--clips", type=int, default=CLIPS, help=f"default {CLIPS}, evenly spread")
    parser.add_argument("--all", action="store_true", help="all clips; half an hour for 1,440")
    parser.add_argument("--threads", type=int, default=1, help="of torch, default 1")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    encoder = DeepTalk().eval()
    count_parameters(encoder)
    waves = read(arguments.folder, None if arguments.all else arguments.clips)
    heard = [w for w in waves if encoder.hears(w[None], torch.tensor([len(w)])).item()]
    print(f"{len(heard)} of {len(waves)} clips have 1 s of speech; {arguments.threads} threads")
    with torch.inference_mode():
        compare(encoder, heard)


def read(folder: Path, clips: int | None) -> list[Tensor]:
    """Waves of evenly spread files, or of all."""
    found = collect([folder])
    files = found.utterances
    if clips is not None:
        places = np.linspace(0, len(files) - 1, min(clips, len(files))).astype(int)
        files = [files[place] for place in places]
    return [torch.from_numpy(load(found.root / u.path, sample_rate=8000)) for u in files]


def count_parameters(encoder: DeepTalk) -> None:
    """Print the parameters of the parts and of the whole."""
    for name, published in PUBLISHED.items():
        found = sum(value.numel() for value in encoder.get_submodule(name).parameters())
        verdict = "met" if found == published else "MISSED"
        print(f"{name or 'encoder'}: {found:,} parameters; target {published:,}: {verdict}")


def compare(encoder: DeepTalk, waves: list[Tensor]) -> None:
    """Print what both sides take."""
    for wave in waves[:WARM_UP]:
        share(encoder, wave)
    spent, windows, worst = np.zeros(2), 0, 0.0
    for wave in waves:
        seconds, (shared, (single, count)) = zip(
            *(timed(side, encoder, wave) for side in (share, cut_out)), strict=True
        )
        spent += seconds
        windows += count
        worst = max(worst, (shared - single).norm().item())
    rates = ", ".join(
        f"{name} {1000 * side / len(waves):.0f} ms a clip"
        for name, side in zip(("shared", "one by one"), spent, strict=True)
    )
    print(f"{windows} windows: {rates}")
    judge("one by one over shared", spent[1] / spent[0], "at least", 5)
    judge("off by", worst, "at most", 1e-5)


def timed(side: Callable, encoder: DeepTalk, wave: Tensor) -> tuple[float, Tensor]:
    """Seconds that a side takes, and what it returns."""
    started = time.perf_counter()
    result = side(encoder, wave)
    return time.perf_counter() - started, result


def share(encoder: DeepTalk, wave: Tensor) -> Tensor:
    """The embedding (E,) as the encoder computes it."""
    return encoder(wave[None], torch.tensor([len(wave)]))[0]


def cut_out(encoder: DeepTalk, wave: Tensor) -> tuple[Tensor, int]:
    """The mean (E,) over windows that go through the network alone, and their number."""
    frames, counts = encoder.describe(wave[None], torch.tensor([len(wave)]))
    vectors = []
    for first in range(0, int(counts) - encoder.window + 1, encoder.hop):
        window = frames[0, first : first + encoder.window]
        window = window[window.any(dim=1)]
        if len(window):
            vectors.append(encoder.style_tokens(encoder.filterbank(window)[None])[0])
    return torch.stack(vectors).mean(dim=0), len(vectors)


def judge(what: str, found: float, relation: str, target: float) -> None:
    """A line on a target."""
    met = found <= target if relation == "at most" else found >= target
    print(f"  {what}: {found:.3g}; target {relation} {target}: {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
