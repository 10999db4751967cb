"""Loaded models: clips in, embeddings out.

Shapes: N clips, T samples, E embedding, K numbers a clip.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emovec.audio.clips import Clip, File, Wave, is_one, read_clips
from emovec.encoders.base import Encoder
from emovec.errors import AudioError, HparamError
from emovec.stored import StoredModel

Engine = Literal["torch", "onnx"]
Embeddings = NDArray[np.float32]

SECONDS_AT_ONCE = 600.0  # of audio in memory while several clips are embedded


class Model(StoredModel):
    """What all loaded models of clips have in common.

    Attributes:
        card: text of card.md: data, licence, results
        embedder: from clips to embeddings
        max_seconds: clips are cut to this length; None: whole clips

    Args:
        model: what is saved
        encoder: the model, or its part, that says which clips can be used
        embed: the embedder
        card: as above
        device: where it runs; None: a GPU if there is one
        max_seconds: as above
    """

    def __init__(
        self,
        model: nn.Module,
        encoder: Encoder,
        embed: Encoder,
        card: str = "",
        device: str | None = None,
        max_seconds: float | None = None,
    ) -> None:
        super().__init__(model, card)
        self.embedder, self.max_seconds = embed, max_seconds
        self._encoder = encoder
        self._device = checked_device(device)

    @property
    def embedding_size(self) -> int:
        """Numbers in an embedding."""
        return self.embedder.embedding_size

    @property
    def sample_rate(self) -> int:
        """Hz to which clips are resampled."""
        return self._encoder.sample_rate

    @overload
    def embed(self, clips: File | Iterable[File]) -> Embeddings: ...

    @overload
    def embed(self, clips: Wave | Iterable[Wave], sample_rate: int) -> Embeddings: ...

    def embed(
        self,
        clips: File | Wave | Iterable[File] | Iterable[Wave],
        sample_rate: int | None = None,
    ) -> Embeddings:
        """Embeddings of clips; each is the same alone and among others, but for rounding.

        Args:
            clips: a file of any rate, channels and format that soundfile reads, or several; or a
                wave, or several in a list, each (T,) float in [-1, 1] or int16
            sample_rate: Hz of the waves, for waves only

        Returns:
            (E,) of one clip, (N, E) of several, none included

        Raises:
            AudioError: if a clip cannot be read, is too short, or no speech is heard in it; it
                names the file, or the position among the waves
        """
        rows = [row for _, row in self._rows(clips, sample_rate, self.embedder)]
        if is_one(clips):
            return rows[0]
        return np.array(rows, dtype=np.float32).reshape(len(rows), self.embedding_size)

    def _rows(
        self,
        clips: File | Wave | Iterable[File] | Iterable[Wave],
        sample_rate: int | None,
        through: Encoder,
    ) -> Iterator[tuple[str, Embeddings]]:
        """Name of each clip, and its row (K,) of what goes through."""
        from emovec.encoders.extraction import embed_clips

        read = read_clips(
            clips, sample_rate, wanted_rate=self.sample_rate, max_seconds=self.max_seconds
        )
        for group in _by_seconds(map(self._checked, read), SECONDS_AT_ONCE * self.sample_rate):
            rows = embed_clips(through, [clip.wave for clip in group], device=self._device)
            yield from zip([clip.name for clip in group], rows, strict=True)

    def _checked(self, clip: Clip) -> Clip:
        """The same clip, if it can be used."""
        samples, shortest = len(clip.wave), self._encoder.shortest
        if samples < shortest:
            raise AudioError(
                f"{clip.name}: {samples} samples at {self.sample_rate} Hz; expected at least "
                f"{shortest} ({1000 * shortest / self.sample_rate:.0f} ms). Leave it out, or pad "
                "it with silence."
            )
        if self._encoder.needs_speech and not self._hears(torch.from_numpy(clip.wave)):
            raise AudioError(
                f"{clip.name}: {self._encoder.unheard} in it; expected frames above the encoder's "
                "threshold of energy. Leave it out."
            )
        return clip

    def _hears(self, wave: Tensor) -> bool:
        """Whether the encoder finds speech in a wave (T,)."""
        with torch.inference_mode():
            wave = wave.to(next(self._encoder.parameters()).device)
            return bool(self.embedder.hears(wave[None], torch.tensor([len(wave)]).to(wave.device)))


class EncoderModel(Model):
    """An encoder: embeddings, and no predictions.

    Args:
        encoder: to be used in evaluation
        card: text of card.md
        device: where it runs; None: a GPU if there is one
        engine: "torch", or "onnx" for onnxruntime, which runs on the CPU and is faster there

    Raises:
        HparamError: if there is no such device or engine
        ModelError: if the encoder cannot be exported
    """

    def __init__(
        self,
        encoder: Encoder,
        card: str = "",
        device: str | None = None,
        engine: Engine = "torch",
    ) -> None:
        if engine not in ("torch", "onnx"):
            raise HparamError(f"engine is {engine!r}; expected 'torch' or 'onnx'. Correct it.")
        if engine == "onnx":
            if device not in (None, "cpu"):
                raise HparamError(
                    f"device is {device!r} with engine 'onnx'; expected 'cpu'. Use 'torch' there."
                )
            from emovec.encoders.onnx_engine import exported

            super().__init__(encoder, encoder, exported(encoder.eval()), card, "cpu")
        else:
            super().__init__(encoder, encoder, encoder, card, device)


def checked_device(device: str | None) -> str:
    """A device as torch names it.

    Args:
        device: such as "cpu", "cuda:1" or "mps"; None: a GPU if there is one

    Raises:
        HparamError: if there is no such device
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    # Which of them it raises depends on the device and on how torch was built
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        raise HparamError(
            f"device is {device!r}, which torch cannot use ({error}); expected such as 'cpu', "
            "'cuda' or 'mps'. Choose one of this machine."
        ) from error
    return device


def _by_seconds(clips: Iterable[Clip], samples: float) -> Iterator[list[Clip]]:
    """Clips in lists of about as many samples, at least one clip each."""
    group: list[Clip] = []
    held = 0
    for clip in clips:
        group.append(clip)
        held += len(clip.wave)
        if held >= samples:
            yield group
            group, held = [], 0
    if group:
        yield group
