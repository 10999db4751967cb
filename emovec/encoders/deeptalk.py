"""DeepTalk: a learned filterbank and style tokens, from raw samples to an embedding.

Chowdhury, Ross and David (2021), "DeepTalk: vocal style encoding for speaker recognition and speech
synthesis", ICASSP, arXiv 2012.05084; for emotions Sandler and Ross (2022), arXiv 2211.08213.

Shapes: B batch, T samples, F frames, W samples of one, D features, N windows, S frames of a window,
E embedding.
"""

from typing import Any

import torch
from torch import Tensor

from emovec.audio.activity import keep_active
from emovec.audio.features import cut_frames
from emovec.audio.level import level
from emovec.audio.padding import frame_counts, valid_mask, zero_padding
from emovec.audio.trimming import WINDOW_MS, near_speech
from emovec.encoders.base import Encoder
from emovec.encoders.filterbank import FRAME, HOP, Filterbank, standardise
from emovec.encoders.graph_pieces import Pieces, whole_clips, window_pieces
from emovec.encoders.style_tokens import StyleTokens
from emovec.errors import AudioError, HparamError

WINDOWS_AT_ONCE = {"cpu": 64}  # which stay in its caches; a window takes some 250 kB
ON_OTHER_DEVICES = 2048


class DeepTalk(Encoder):
    """Level, silence taken out, frames of 160 samples, filterbank, style tokens.

    The level comes first, as the energies that tell silence have an absolute threshold; silence
    next, in the waves, so that frames and windows are those of speech alone. Frames of equal
    samples, such as digital silence, say nothing and are dropped.

    In evaluation a clip's embedding is that of Sandler and Ross: the plain mean over windows of 1 s
    every 10 ms, each of length 1. In training it is of all frames at once.

    Args:
        sample_rate: Hz; with windows a multiple of 8000
        feature_size: D
        tokens: of style
        heads: of the attention to them
        embedding_size: E, a multiple of twice the heads
        windows: whether a clip's embedding in evaluation is the mean over windows; if not, it is of
            all frames at once

    Raises:
        HparamError: if a number is impossible
    """

    padding_safe = True
    needs_speech = True

    def __init__(
        self,
        sample_rate: int = 8000,
        feature_size: int = 40,
        tokens: int = 10,
        heads: int = 8,
        embedding_size: int = 256,
        windows: bool = True,
    ):
        super().__init__()
        _check_sizes(sample_rate, feature_size, tokens, heads, embedding_size, windows)
        self._arguments = {
            "sample_rate": sample_rate,
            "feature_size": feature_size,
            "tokens": tokens,
            "heads": heads,
            "embedding_size": embedding_size,
            "windows": windows,
        }
        self.filterbank = Filterbank(feature_size)
        self.style_tokens = StyleTokens(feature_size, tokens, heads, embedding_size)
        self.sample_rate, self.windows = sample_rate, windows
        self.frame_size, self.embedding_size = feature_size, embedding_size
        self.shortest = max(FRAME, sample_rate * WINDOW_MS // 1000)
        self.window = (sample_rate - FRAME) // HOP + 1  # S
        self.hop = sample_rate // 100 // HOP  # frames from one window to the next
        if windows:
            self.unheard = "less than 1 s of speech is heard"

    def describe(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Standardised frames (B, F, W), and (B,) valid ones.

        Frames of equal samples, and those behind the valid ones, are zero. In training a clip that
        is silent throughout keeps its samples.

        Raises:
            AudioError: if a clip is too short for one frame, or has not speech enough
            ValueError: if shapes, types or lengths are not as :meth:`frames` takes them
        """
        self.check(waves, lengths)
        frames, counts = self._cut(waves, lengths, keep_silent=self.training)
        if not self.training:
            unheard = torch.nonzero(~self._heard(frames, counts)).flatten().tolist()
            if unheard:
                shorter = ", or set the encoder's `windows` to false if that is the length"
                raise AudioError(
                    f"DeepTalk: {self.unheard} at position {', '.join(map(str, unheard))} of the "
                    "batch; expected frames above the threshold of energy. Leave the clip out"
                    f"{shorter if self.windows else ''}."
                )
        return frames, counts

    def hears(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Clips (B,) that evaluation can embed: with windows those with 1 s of speech."""
        return self._heard(*self._cut(waves, lengths, keep_silent=False))

    def frames(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, F, D) of the filterbank, as :class:`Encoder` describes frames."""
        features, counts, said = self._filter(*self.describe(waves, lengths))
        return keep_active(features, counts, said)

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, E); takes and raises what :meth:`frames` does."""
        if self.training or not self.windows:
            return self.style_tokens(*self.frames(waves, lengths))
        return self._mean_of_windows(*self._filter(*self.describe(waves, lengths)))

    def pieces(self, features: Tensor, counts: Tensor) -> Pieces:
        """What of the frames (B, F, W) of :meth:`describe` goes through an exported graph."""
        said = features.any(dim=2)
        if not self.windows:
            return whole_clips(*keep_active(features, counts, said))
        sounding = self._sounding_windows(said, counts)
        return window_pieces(features, said, sounding, self.window, self.hop)

    def embed_features(self, features: Tensor) -> Tensor:
        """Embeddings (B, E) of frames (B, F, W) none of which is dropped: of all windows in them.

        Fewer frames than a window has are one window.
        """
        clips = features.shape[0]  # unlike len(), no constant of the graph
        size: Any = torch._shape_as_tensor(features)[1]  # nor this
        features = self.filterbank.convolve(features.flatten(0, 1)).unflatten(0, (clips, -1))
        if not self.windows:
            return self.style_tokens(features)
        last = (size - self.window).clamp_min(0) // self.hop
        starts = self.hop * torch.arange(last + 1)
        places = starts[:, None] + torch.arange(size.clamp_max(self.window))  # (N, S)
        windows = features[:, places.to(features.device)]  # (B, N, S, D)
        embeddings = self.style_tokens(windows.flatten(0, 1)).unflatten(0, (clips, -1))
        return embeddings.mean(dim=1)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same architecture again, without its weights."""
        return dict(self._arguments)

    def _cut(self, waves: Tensor, lengths: Tensor, keep_silent: bool) -> tuple[Tensor, Tensor]:
        """What :meth:`describe` returns, of any clip; none of a silent one unless that is kept."""
        with torch.autocast(waves.device.type, enabled=False):
            waves = level(waves.float(), lengths)
            kept = near_speech(waves, lengths, self.sample_rate)
            if keep_silent:  # a random stretch without speech is no reason to stop
                kept |= ~kept.any(dim=1, keepdim=True)
            speech, lengths = keep_active(waves[..., None], lengths, kept)
            frames, counts = cut_frames(speech[..., 0], lengths, FRAME, HOP)
            return zero_padding(standardise(frames), counts), counts

    def _heard(self, frames: Tensor, counts: Tensor) -> Tensor:
        """Clips (B,) that have a window, or without windows a frame, which is not all zero."""
        said = frames.any(dim=2)
        return (self._sounding_windows(said, counts) if self.windows else said).any(dim=1)

    def _filter(self, frames: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, F, D), counts (B,), and (B, F) those that are not of equal samples."""
        said = frames.any(dim=2)
        if self.training:  # nor is a stretch of digital silence
            said |= ~said.any(dim=1, keepdim=True) & valid_mask(counts, said.shape[1])
        found = self.filterbank(frames[said])
        features = found.new_zeros(*said.shape, self.frame_size)
        features[said] = found
        return features, counts, said

    def _sounding_windows(self, said: Tensor, counts: Tensor) -> Tensor:
        """(B, N) windows that lie inside the clip and have a frame that is not all zero."""
        if said.shape[1] < self.window:
            return said[:, :0]
        sounding = said.unfold(1, self.window, self.hop).any(dim=2)
        inside = frame_counts(counts, self.window, self.hop)
        return sounding & valid_mask(inside, sounding.shape[1])

    def _mean_of_windows(self, features: Tensor, counts: Tensor, said: Tensor) -> Tensor:
        """Embeddings (B, E) from what :meth:`_filter` returns."""
        sounding = self._sounding_windows(said, counts)
        windows = features.unfold(1, self.window, self.hop)  # (B, N, D, S), not copied
        said = said.unfold(1, self.window, self.hop)  # (B, N, S)
        at_once = WINDOWS_AT_ONCE.get(features.device.type, ON_OTHER_DEVICES)
        parts = (rows.unbind(dim=1) for rows in torch.nonzero(sounding).split(at_once))
        found = torch.cat([self._embed_windows(windows[part], said[part]) for part in parts])
        vectors = found.new_zeros(*sounding.shape, self.embedding_size)
        vectors[sounding] = found
        return vectors.sum(dim=1) / sounding.sum(dim=1, keepdim=True)

    def _embed_windows(self, windows: Tensor, said: Tensor) -> Tensor:
        """Embeddings (N, E) of windows (N, D, S), without frames that are not said (N, S)."""
        windows = windows.transpose(1, 2)
        if said.all():
            return self.style_tokens(windows)
        counts = torch.full_like(said[:, 0], self.window, dtype=torch.int64)
        return self.style_tokens(*keep_active(windows, counts, said))


def _check_sizes(
    sample_rate: int, feature_size: int, tokens: int, heads: int, embedding_size: int, windows: bool
) -> None:
    if not isinstance(windows, bool):
        raise HparamError(f"DeepTalk: windows is {windows!r}; expected True or False. Correct it.")
    whole = isinstance(sample_rate, int)
    if not whole or sample_rate < 8000 or (windows and sample_rate % 8000):
        raise HparamError(
            f"DeepTalk: sample_rate is {sample_rate}; expected at least 8000, and with windows a "
            "multiple of it, so that 10 ms are whole frames. Choose 8000 or 16000; audio is "
            "resampled to it when it is read."
        )
    if min(feature_size, tokens, heads, embedding_size) < 1 or embedding_size % (2 * heads):
        raise HparamError(
            f"DeepTalk: feature_size {feature_size}, tokens {tokens}, heads {heads}, "
            f"embedding_size {embedding_size}; expected at least 1 each, and a multiple of "
            f"{2 * max(heads, 1)}, twice the heads, as embedding_size. Correct them."
        )
