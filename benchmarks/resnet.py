"""One evaluation forward of the thin ResNet-34 against its convolutions timed alone.

    python benchmarks/resnet.py                about a minute on two cores
    python benchmarks/resnet.py --repeats=300  steadier, on cores that others use as well

The network takes features of 3 s, 23 bands, 8 clips; its convolutions, without bias, take what they
are given in that forward, in the same layout. Forward and convolutions take turns, and of each the
fastest turn counts: what a busy machine adds is never less than nothing. With clips of different
lengths the padding is zeroed on the way, which is reported without a target.

Target: at most 1.3.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from emovec.encoders.resnet import ResNet

BATCH, SECONDS, TARGET = 8, 3.0, 1.3


def main() -> None:
    """Measure the ratio for equal and for different lengths, and print both."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    encoder = ResNet().eval()
    waves = 0.1 * torch.randn(BATCH, int(SECONDS * encoder.sample_rate))
    full = torch.full((BATCH,), waves.shape[1])
    ragged = torch.linspace(waves.shape[1] // 2, waves.shape[1], BATCH).long()
    print(f"{torch.get_num_threads()} threads, {BATCH} clips of {SECONDS:g} s")
    with torch.inference_mode():
        for kind, lengths in (("equal", full), ("different", ragged)):
            features, counts = encoder.features(waves, lengths)
            ratio = measure(encoder, features, counts, arguments.repeats)
            verdict = f"; target at most {TARGET}: {'met' if ratio <= TARGET else 'MISSED'}"
            print(f"{kind} lengths: ratio {ratio:.3f}{verdict if kind == 'equal' else ''}")


def parse() -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=100, help="turns; default 100")
    parser.add_argument("--threads", type=int, default=2, help="of torch; default 2")
    return parser.parse_args()


def measure(encoder: ResNet, features: Tensor, counts: Tensor, repeats: int) -> float:
    """Seconds of a forward from features to embeddings over those of its convolutions."""

    def forward() -> Tensor:
        return encoder.project(encoder.pooling(*encoder.network(features, counts)))

    convolutions = inputs_of_convolutions(encoder, forward)
    whole, alone = float("inf"), [float("inf")] * len(convolutions)
    for _ in range(repeats):
        whole = min(whole, seconds(forward))
        for place, (layer, values) in enumerate(convolutions):
            alone[place] = min(alone[place], seconds(lambda: layer(values)))  # noqa: B023
    print(f"  forward {1e3 * whole:.1f} ms, {len(alone)} convolutions {1e3 * sum(alone):.1f} ms")
    return whole / sum(alone)


def inputs_of_convolutions(
    encoder: ResNet, forward: Callable[[], Tensor]
) -> list[tuple[nn.Module, Tensor]]:
    """Each convolution with a copy of what it is given, in the same layout."""
    found: list[tuple[nn.Module, Tensor]] = []
    hooks = [
        module.register_forward_pre_hook(
            lambda module, given: found.append((module.convolution, given[0].clone()))
        )
        for module in encoder.modules()
        if hasattr(module, "convolution")
    ]
    forward()
    for hook in hooks:
        hook.remove()
    return found


def seconds(call: Callable[[], Tensor]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
