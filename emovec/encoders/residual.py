"""Residual network over time and bands, for padded batches.

He et al. (2016), "Deep residual learning for image recognition", CVPR, as speaker networks have it:
no max-pooling, and a stem that keeps all frames.

Shapes: B batch, F frames, M bands, C channels. Values inside the network are (B, C, F, M); frames
behind a clip's own are zero before each convolution, as is what lies around a clip that comes
alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from emovec.audio.padding import valid_mask, zero_padding


class ValidBatchNorm(nn.BatchNorm2d):
    """Batch norm whose moments leave padding out."""

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, values: Tensor, valid: Tensor | None = None) -> Tensor:
        """Normalise by the moments of this batch, and move the running ones towards them.

        Args:
            values: (B, C, F, M), finite, overwritten where there is padding
            valid: (B, 1, F, 1) float32, 0 in the padding and 1 elsewhere; None without padding

        Returns:
            the same shape, zero in the padding
        """
        if valid is None:
            return super().forward(values)
        values = values.mul_(valid)
        count = int(valid.sum()) * values.shape[3]
        rows = values.flatten(2).float()  # (B, C, F M); sums over these are faster than over values
        mean = rows.sum(dim=2).sum(dim=0) / count  # (C,)
        squares = torch.linalg.vector_norm(rows, dim=2).square().sum(dim=0)
        variance = (squares / count - mean.square()).clamp_min(0.0)
        self._follow(mean.detach(), variance.detach(), count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = valid * (self.bias - scale * mean)[:, None, None]  # (B, C, F, 1)
        return (values * scale[:, None, None]).add_(shift).to(values.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running moments as torch does, the variance by its unbiased estimate."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / max(count - 1, 1), self.momentum)

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """(C,) and (C,), what evaluation multiplies with and adds."""
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale


class NormedConvolution(nn.Module):
    """Convolution and batch norm; in evaluation one convolution with weights scaled on the way.

    Args:
        inputs: channels before
        outputs: channels after
        kernel: odd, over time and bands alike
        stride: over time and bands alike
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out", nonlinearity="relu")
        self.norm = ValidBatchNorm(outputs)

    def forward(self, values: Tensor, valid: Tensor | None) -> Tensor:
        """Convolve (B, C, F, M); valid (B, 1, F', 1) is that of what comes out."""
        layer = self.convolution
        if self.training:
            return self.norm(layer(values), valid)
        scale, shift = self.norm.scale_and_shift()
        weight = layer.weight * scale[:, None, None, None]
        values = functional.conv2d(values, weight, shift, layer.stride, layer.padding)
        return values if valid is None else values.mul_(valid)


class BasicBlock(nn.Module):
    """relu(conv(relu(conv(x))) + x), 3 x 3, where x is projected if its size changes.

    Args:
        inputs: channels before
        outputs: channels after
        stride: of the first convolution and of the projection
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.first = NormedConvolution(inputs, outputs, 3, stride)
        self.second = NormedConvolution(outputs, outputs, 3)
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else NormedConvolution(inputs, outputs, 1, stride)

    def forward(self, values: Tensor, valid: Tensor | None) -> Tensor:
        """Values (B, C', F', M') of (B, C, F, M); valid as of what comes out."""
        branch = functional.relu(self.first(values, valid), inplace=True)
        branch = self.second(branch, valid)
        if self.shortcut is not None:
            values = self.shortcut(values, valid)
        return functional.relu(branch.add_(values), inplace=True)


class ResidualFrames(nn.Module):
    """Residual network from features to frames: 7 x 7, then stages, then bands become one vector.

    Each stage but the first halves frames and bands, rounding up.

    Args:
        channels: of each stage
        blocks: of each stage
        keep_bands: whether the bands of the last stage stay side by side, instead of their mean
    """

    def __init__(self, channels: Sequence[int], blocks: Sequence[int], keep_bands: bool = False):
        super().__init__()
        self.keep_bands = keep_bands
        self.stem = NormedConvolution(1, channels[0], 7)
        self.stages = nn.ModuleList()
        inputs = channels[0]
        for place, (outputs, count) in enumerate(zip(channels, blocks, strict=True)):
            first = BasicBlock(inputs, outputs, 2 if place else 1)
            others = [BasicBlock(outputs, outputs, 1) for _ in range(count - 1)]
            self.stages.append(nn.ModuleList([first, *others]))
            inputs = outputs

    def frame_size(self, bands: int) -> int:
        """Values D of a frame that comes of features with so many bands."""
        last = self.stages[-1][-1].second.norm.num_features  # type: ignore[index, union-attr]
        kept = -(-bands // 2 ** (len(self.stages) - 1)) if self.keep_bands else 1
        return int(last * kept)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of features (B, F, M) with (B,) valid ones.

        Returns:
            (B, F', D), and (B,) valid ones; the others are zero
        """
        size, features = features.shape[1], zero_padding(features, lengths)
        masks = [_valid(lengths, size)]
        for _ in self.stages[1:]:
            lengths, size = torch.div(lengths + 1, 2, rounding_mode="floor"), (size + 1) // 2
            masks.append(_valid(lengths, size))
        return self.convolve(features, masks), lengths

    def convolve(self, features: Tensor, masks: Sequence[Tensor | None]) -> Tensor:
        """Frames (B, F', D) of features (B, F, M).

        Args:
            features: zero in the padding
            masks: of each stage (B, 1, F, 1) float32, 0 in the padding and 1 elsewhere; None
                without padding
        """
        values = functional.relu(self.stem(features[:, None], masks[0]), inplace=True)
        if not self.training:  # a sixth faster on CPUs; backward is slower
            values = values.contiguous(memory_format=torch.channels_last)
        for stage, valid in zip(self.stages, masks, strict=True):
            for block in stage:  # type: ignore[attr-defined]
                values = block(values, valid)
        if self.keep_bands:
            return values.permute(0, 2, 1, 3).flatten(2)
        return values.mean(dim=3).transpose(1, 2)


def _valid(lengths: Tensor, size: int) -> Tensor | None:
    """(B, 1, F, 1) float32, 0 in the padding and 1 elsewhere; None, which is faster, without."""
    valid = valid_mask(lengths, size)
    return None if bool(valid.all()) else valid[:, None, :, None].float()
