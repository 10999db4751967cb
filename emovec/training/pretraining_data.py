"""What a masked prediction hears: crops of clips with their targets, and whole clips to cluster."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor
from torch.utils.data import DataLoader

from emovec.audio.batches import make_loader
from emovec.audio.crops import CropBatches, Crops, Frames
from emovec.audio.mixing import Mixing
from emovec.corpora.speakers import SpeakerSelection
from emovec.encoders.audible import audible_parts
from emovec.encoders.processes import process_place
from emovec.encoders.wavlm import WavLM
from emovec.errors import HparamError
from emovec.tables.manifest import Utterance
from emovec.training.cluster_targets import MOST_CLUSTERS, ClusterTargets, Features

ROOT = Path("/")  # paths of a selection are absolute


def check_rounds(
    encoder: WavLM,
    clusters: Sequence[int],
    epochs: Sequence[int],
    target_layer: int,
    crop_seconds: float,
) -> None:
    """Stop on what would end a run only after hours.

    Args:
        encoder: to be trained
        clusters: of each round
        epochs: of each round
        target_layer: that targets are made of, counted from 1
        crop_seconds: length of a crop

    Raises:
        HparamError: if they are impossible
    """
    layers, shortest = encoder.architecture.layers, encoder.shortest / encoder.sample_rate
    if not clusters or len(clusters) != len(epochs):
        raise HparamError(
            f"clusters is {list(clusters)} and epochs {list(epochs)}; expected a number of each "
            "for every round. Mend one of them."
        )
    if not all(2 <= k <= MOST_CLUSTERS for k in clusters) or min(epochs) < 1:
        raise HparamError(
            f"clusters is {list(clusters)} and epochs {list(epochs)}; expected 2 to "
            f"{MOST_CLUSTERS} of the first, and 1 or more of the second. Mend them."
        )
    if not 1 <= target_layer <= layers:
        raise HparamError(f"target_layer is {target_layer}; expected 1 to {layers}. Change it.")
    if crop_seconds < shortest:
        raise HparamError(
            f"crop_seconds is {crop_seconds}; expected at least {shortest} s, a frame of the "
            "encoder. Raise it."
        )


def long_enough(encoder: WavLM, clips: SpeakerSelection, max_seconds: float) -> SpeakerSelection:
    """The selection without clips that have no frame of the encoder.

    Raises:
        SplitError: if fewer than two are left to train or to validate on
    """
    parts = {"train": clips.train, "valid": clips.valid}
    kept, skipped = audible_parts(encoder, parts, ROOT, max_seconds)
    return replace(
        clips, train=kept["train"], valid=kept["valid"], skipped=(*clips.skipped, *skipped)
    )


def layer_features(encoder: WavLM, layer: int, device: str) -> Features:
    """Gives frames (B, F, D) of a layer, counted from 1, and their (B,) numbers."""
    encoder.eval().to(device)

    def features(waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        outputs, counts = encoder.layer_outputs(waves.to(device), lengths.to(device))
        return outputs[layer - 1], counts

    return features


@dataclass(frozen=True)
class CropLoaders:
    """Makes loaders of this process' share of batches.

    Attributes:
        clips: to train and to validate on
        targets: of the training clips, then of the others
        frames: of the encoder
        crop_seconds: length of a crop
        max_seconds: clips are cut to this length
        batch_seconds: most padded seconds in a micro-batch
        micro_batches: how many make an effective batch, over all processes
        seed: of the draws
        workers: processes that read ahead
    """

    clips: SpeakerSelection
    targets: ClusterTargets
    frames: Frames
    crop_seconds: float
    max_seconds: float
    batch_seconds: float
    micro_batches: int
    seed: int
    workers: int

    def training(self, mixing: Mixing) -> DataLoader:
        """Crops to train on, each epoch others."""
        return self._loader(self.clips.train, 0, mixing, self.micro_batches, shuffle=True)

    def validation(self) -> DataLoader:
        """Clean crops of held-out speakers, the same in every epoch, as are the hidden frames."""
        first, (_, processes) = len(self.clips.train), process_place()
        return self._loader(self.clips.valid, first, None, processes, shuffle=False)

    def _loader(
        self,
        utterances: Sequence[Utterance],
        first: int,
        mixing: Mixing | None,
        micro_batches: int,
        shuffle: bool,
    ) -> DataLoader:
        order = Crops(
            [min(u.duration, self.max_seconds) for u in utterances],
            self.frames,
            self.crop_seconds,
            self.batch_seconds,
            micro_batches,
            self.seed,
            shuffle,
            *process_place(),
        )
        batches = CropBatches(
            utterances,
            ROOT,
            self.targets.part(first, len(utterances)),
            self.frames,
            self.crop_seconds,
            mixing,
            self.seed,
        )
        return make_loader(batches, order, self.workers)
