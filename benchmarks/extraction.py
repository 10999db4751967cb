"""Extraction of embeddings, against the loop that users write, one file at a time.

    python benchmarks/extraction.py /data/RAVDESS            about ten minutes on two idle cores
    python benchmarks/extraction.py /data/RAVDESS --clips=48 --repetitions=1 --networks=ecapa

The folder may be any with audio. Networks have random weights: SpeechBrain's ECAPA-TDNN, which the
loop runs in its own ``EncoderClassifier``, and a thin ResNet-34, which it runs as it is; with as
many threads as torch takes. Each side has a process of its own, sides take turns, and the fastest
of the repetitions counts. A loop on all cores suffers most where others compute at the same time.

Targets, on two cores:
- clips per second over those of the loop: at least 1.15 in torch, and 1.4 by onnxruntime; the same
  embeddings within 1e-4;
- at least 0.9 times the clips per second of the network alone, on features in memory, by as many
  threads: reading, front end and writing hide behind it;
- peak memory of 14,400 clips over that of 1,440: at most 1.05; the longer list is a part of it.

On a GPU (``--device=cuda``): at least 10 times the loop, and clips of 2 s per second.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emovec.audio.inputs import collect
from emovec.audio.loading import load
from emovec.encoders.base import Encoder
from emovec.encoders.extraction import embed_clips, extract_table
from emovec.encoders.foreign import SpeechBrainEncoder
from emovec.encoders.onnx_engine import OnnxEncoder
from emovec.encoders.onnx_export import export_onnx
from emovec.encoders.resnet import ResNet
from emovec.tables.embedding_shards import read_embeddings
from emovec.tables.manifest import Utterance
from emovec.tables.provenance import cores

WARM_UP = 4  # clips
SIDES = ("loop", "torch", "onnx", "network")


def main() -> None:
    """Run one side, or all of them in processes of their own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with audio")
    parser.add_argument("--clips", type=int, default=120, help="default 120")
    parser.add_argument("--repetitions", type=int, default=3, help="default 3")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--device", default="cpu", help="default cpu")
    parser.add_argument("--no-memory", action="store_true", help="leave that part out")
    parser.add_argument("--side", choices=(*SIDES, "memory"), help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side == "memory":
        run_memory(arguments)
    elif arguments.side:
        run_side(arguments)
    else:
        for network in arguments.networks:
            compare(arguments, network)
        if not arguments.no_memory:
            compare_memory(arguments)


def compare(arguments: argparse.Namespace, network: str) -> None:
    """Print ratios of one network against their targets."""
    sides = SIDES if arguments.device == "cpu" else ("loop", "torch")
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.repetitions):
            for side in sides:
                output = Path(folder, f"{side}.npy")
                seconds[side].append(measure(arguments, side, network, output))
        best = {side: min(seconds[side]) for side in sides}
        rates = [f"{side} {arguments.clips / best[side]:.1f}/s" for side in sides]
        print(f"{network}: {', '.join(rates)}")
        least = 1.15 if arguments.device == "cpu" else 10
        judge("torch over the loop", best["loop"] / best["torch"], "at least", least)
        if "onnx" in sides:
            judge("onnx over the loop", best["loop"] / best["onnx"], "at least", 1.4)
            judge("torch over the network alone", best["network"] / best["torch"], "at least", 0.9)
        expected = np.load(Path(folder, "loop.npy"))
        for side in set(sides) & {"torch", "onnx"}:
            judge(f"{side}: off by", distance(folder, side, expected), "at most", 1e-4)
    if arguments.device != "cpu":
        print(f"  clips of 2 s per second: {rate_of_noise(network, arguments.device):.0f}")


def distance(folder: str, side: str, expected: np.ndarray) -> float:
    """Largest relative distance of an embedding from the loop's."""
    found = np.load(Path(folder, f"{side}.npy"))
    lengths = np.linalg.norm(expected, axis=1)
    return float((np.linalg.norm(found - expected, axis=1) / lengths).max())


def judge(what: str, found: float, relation: str, target: float) -> None:
    """A line on a target."""
    met = found <= target if relation == "at most" else found >= target
    print(f"  {what}: {found:.3g}; target {relation} {target}: {'met' if met else 'MISSED'}")


def measure(arguments: argparse.Namespace, side: str, network: str, output: Path) -> float:
    """Seconds, or MiB, that a side in a process of its own says."""
    command = [sys.executable, __file__, str(arguments.folder), "--side", side]
    command += ["--clips", str(arguments.clips), "--networks", network]
    command += ["--device", arguments.device, "--output", str(output)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run_side(arguments: argparse.Namespace) -> None:
    """Time one side on evenly spread files; its embeddings go to a file."""
    (network,) = arguments.networks
    found = collect([arguments.folder])
    places = np.linspace(0, len(found.utterances) - 1, arguments.clips).astype(int)
    clips = [replace(found.utterances[p], id=str(n)) for n, p in enumerate(places)]
    encoder = NETWORKS[network]().eval()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.side == "network":
            run = make_network(encoder, clips, found.root)
        else:
            run = MAKERS[arguments.side](encoder, found.root, Path(folder), arguments.device)
        run(clips[:WARM_UP])
        started = time.perf_counter()
        embeddings = run(clips)
        print(time.perf_counter() - started)
        np.save(arguments.output, embeddings)


Run = Callable[[list[Utterance]], np.ndarray]


def make_loop(encoder: Encoder, root: Path, folder: Path, device: str) -> Run:
    """One file at a time; that of SpeechBrain with its own network, front end and reading."""
    encode = one_by_one(encoder.to(device), device)
    if isinstance(encoder, SpeechBrainEncoder):
        theirs = classifier(encoder, device)
        encode = lambda path: theirs.encode_batch(theirs.load_audio(str(path))[None])[0]  # noqa: E731
    return lambda clips: np.concatenate([encode(root / u.path).cpu().numpy() for u in clips])


def one_by_one(encoder: Encoder, device: str) -> Callable[[Path], torch.Tensor]:
    """What takes a file to its embedding (1, E)."""

    def encode(path: Path) -> torch.Tensor:
        wave = torch.from_numpy(load(path)).to(device)
        with torch.inference_mode():
            return encoder(wave[None], torch.tensor([len(wave)], device=device))

    return encode


def classifier(encoder: SpeechBrainEncoder, device: str) -> Any:
    """SpeechBrain's ``EncoderClassifier`` as its published hyperparams.yaml makes it."""
    from speechbrain.dataio.preprocess import AudioNormalizer
    from speechbrain.inference.classifiers import EncoderClassifier
    from speechbrain.lobes.features import Fbank
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
    from speechbrain.processing.features import InputNormalization

    network = ECAPA_TDNN(**encoder.published.options)
    network.load_state_dict(encoder.network.state_dict())
    modules = {
        "compute_features": Fbank(n_mels=80),
        "mean_var_norm": InputNormalization(norm_type="sentence", std_norm=False),
        "embedding_model": network,
        "classifier": torch.nn.Identity(),
    }
    hparams = {"label_encoder": None, "audio_normalizer": AudioNormalizer(sample_rate=16000)}
    return EncoderClassifier(modules, hparams, {"device": device})


def make_torch(encoder: Encoder, root: Path, folder: Path, device: str) -> Run:
    """What ``emovec extract`` does."""

    def run(clips: list[Utterance]) -> np.ndarray:
        output = folder / str(len(clips))
        extract_table(encoder, clips, root, output, name="benchmark", device=device)
        return read_embeddings(output).vectors

    return run


def make_onnx(encoder: Encoder, root: Path, folder: Path, device: str) -> Run:
    """The same with ``--engine=onnx``."""
    export_onnx(encoder, folder / "encoder.onnx")
    exported = OnnxEncoder(folder / "encoder.onnx", threads=1)
    return make_torch(exported, root, folder, device)


def make_network(encoder: Any, clips: list[Utterance], root: Path) -> Run:
    """The network on features that are in memory, in threads of one core each."""
    torch.set_num_threads(1)
    kept: dict[str, torch.Tensor] = {}

    def embed(clip: Utterance) -> np.ndarray:
        with torch.inference_mode():
            return encoder.embed_features(kept[clip.path]).numpy()

    def run(clips: list[Utterance]) -> np.ndarray:
        with ThreadPoolExecutor(cores(), "", torch.set_num_threads, (1,)) as pool:
            return np.concatenate(list(pool.map(embed, clips)))

    with torch.inference_mode():
        for clip in clips:
            wave = torch.from_numpy(load(root / clip.path))
            kept[clip.path], _ = encoder.describe(wave[None], torch.tensor([len(wave)]))
    return run


def rate_of_noise(network: str, device: str) -> float:
    """Clips of 2 s per second, in memory."""
    clips = list(np.random.default_rng(0).normal(0, 0.1, (2000, 32000)).astype(np.float32))
    encoder = NETWORKS[network]()
    embed_clips(encoder, clips[:200], device=device)
    started = time.perf_counter()
    embed_clips(encoder, clips, device=device)
    return len(clips) / (time.perf_counter() - started)


def compare_memory(arguments: argparse.Namespace) -> None:
    """Print the peak of few and of many clips."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for clips in (1440, 14400):
            few = argparse.Namespace(**{**vars(arguments), "clips": clips})
            peaks.append(measure(few, "memory", "resnet", Path(folder, str(clips))))
    print(f"memory: {peaks[0]:.0f} MiB with 1,440 clips, {peaks[1]:.0f} MiB with 14,400")
    judge("ratio", peaks[1] / peaks[0], "at most", 1.05)


def run_memory(arguments: argparse.Namespace) -> None:
    """Peak in MiB of an extraction by a small network, the files again and again."""
    found = collect([arguments.folder])
    files = found.utterances
    clips = [replace(files[n % len(files)], id=str(n)) for n in range(arguments.clips)]
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=192)
    extract_table(encoder, clips, found.root, arguments.output, name="benchmark")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def make_ecapa() -> Encoder:
    torch.manual_seed(0)
    return SpeechBrainEncoder("ecapa")


def make_resnet() -> Encoder:
    torch.manual_seed(0)
    options = {"channels": (32, 64, 128, 256), "pooling": "statistics", "embedding_size": 256}
    return ResNet(features="log_mel", **options)


NETWORKS = {"ecapa": make_ecapa, "resnet": make_resnet}
MAKERS = {"loop": make_loop, "torch": make_torch, "onnx": make_onnx}

if __name__ == "__main__":
    main()
