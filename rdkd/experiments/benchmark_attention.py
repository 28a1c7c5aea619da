"""What attention and fusion cost by themselves, at the finest levels."""
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rdkd.experiments.benchmark_model import Batch
from rdkd.experiments.benchmark_rounds import Times, Work, take_turns
from rdkd.experiments.measure import SavedBytes, peak_bytes
from rdkd.layers.attention import PositionAttention
from rdkd.layers.review import FuseModule, ReviewFusion

#: Of the neck levels.
CHANNELS, STRIDES = 256, (4, 8, 16)
WRITTEN_OUT = 'written out'


class WrittenOut(nn.Module):
    """DANet's position attention as published, with its ``(H*W)^2`` matrix.

    Fu et al., CVPR 2019, section 3.2: query and key have an eighth of the
    channels, the value has all.

    Args:
        channels (int): Channels ``C`` of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1)
        self.key = nn.Conv2d(channels, channels // 8, 1)
        self.value = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over ``x`` of shape ``(N, C, H, W)``; same shape out."""
        query, key, value = (conv(x).flatten(2) for conv in (
            self.query, self.key, self.value))
        weights = (query.transpose(1, 2) @ key).softmax(dim=-1)
        return (value @ weights.transpose(1, 2)).view_as(x)


class AttentionCost(NamedTuple):
    """What forward and backward take.

    Attributes:
        seconds: In each round.
        saved: Bytes that autograd keeps.
        peak: Bytes at the peak beyond those before; None where it is not
            known.
    """
    seconds: list[float]
    saved: int
    peak: int | None


class AttentionCosts(NamedTuple):
    """The measurements at one stride.

    Attributes:
        times: Seconds of each form in each round.
        costs: What each form takes.
        too_large: Bytes that the written-out form needs at least, where it
            does not fit and was left out; else None.
    """
    times: Times
    costs: dict[str, AttentionCost]
    too_large: float | None


def attentions(stride: int, batch: Batch) -> dict[str, Work]:
    """Forward and backward of attention and fusion over one level.

    Args:
        stride (int): Of the level, in pixels.
        batch (Batch): Says how large the images are.
    """
    with torch.device(batch.device):
        x = 0.1 * torch.randn(batch.images, CHANNELS, *(
            -(-side // stride) for side in batch.size))
        danet = WrittenOut(CHANNELS)
        exact, pooled = (PositionAttention(CHANNELS, kv) for kv in (None, 16))
        fuse = FuseModule(CHANNELS, CHANNELS // 4, CHANNELS // 4, True, 16)
        coarser = F.avg_pool2d(x[:, :CHANNELS // 4], 2, ceil_mode=True)
    x.requires_grad_()

    def run(forward: Callable[[Tensor], Tensor]) -> Work:
        return lambda: forward(x).sum().backward()

    return {WRITTEN_OUT: run(danet),
            'exact': run(exact),
            'pooled to 16x16': run(pooled),
            'whole fusion': run(lambda x: fuse(x, coarser)[0])}


def available_bytes(device: torch.device) -> float:
    """Memory that is free for one more tensor."""
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0]
    info = Path('/proc/meminfo')
    found = re.search(r'MemAvailable: +(\d+) kB',
                      info.read_text() if info.exists() else '')
    return 1024 * int(found[1]) if found else float('inf')


def measure_attention(batch: Batch, rounds: int) -> dict[int, AttentionCosts]:
    """Measure attention at each of :data:`STRIDES`.

    Args:
        batch (Batch): Says how large the images are, and the device.
        rounds (int): How often each form is timed, up to 3.

    Returns:
        dict[int, AttentionCosts]: By the stride.
    """
    device = torch.device(batch.device)
    found = {}
    for stride in STRIDES:
        works = attentions(stride, batch)
        matrix = 4 * batch.images * (
            batch.size[0] * batch.size[1] / stride**2)**2
        # With its softmax, their gradients and one copy.
        fits = 5 * matrix < available_bytes(device)
        if not fits:
            del works[WRITTEN_OUT]
        times = take_turns(works, min(rounds, 3), device,
                           f'attention at stride {stride}')
        costs = {}
        for name, work in works.items():
            with SavedBytes() as saved:
                work()
            costs[name] = AttentionCost(times[name], saved.bytes(),
                                        peak_bytes(work, device))
        found[stride] = AttentionCosts(times, costs,
                                       None if fits else 2 * matrix)
    return found


def measure_growth(batch: Batch) -> list[int]:
    """How the memory of the fusion grows with the image's area.

    Args:
        batch (Batch): Says how large the images are, and the device.

    Returns:
        list[int]: Bytes that the fusion of strides 4 to 64 keeps for its
        backward pass, and those for images of twice the width.
    """
    saved = []
    for width in (batch.size[1], 2 * batch.size[1]):
        with torch.device(batch.device):
            levels = [torch.randn(
                batch.images, CHANNELS, -(-batch.size[0] // s), -(-width // s),
                requires_grad=True) for s in (4, 8, 16, 32, 64)]
            fusion = ReviewFusion([CHANNELS] * len(levels), attention=True,
                                  kv_size=16, reduction=4)
        with SavedBytes([*levels, *fusion.parameters()]) as kept:
            fusion(levels)
        saved.append(kept.bytes())
    return saved
