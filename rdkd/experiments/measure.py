"""Time and memory of a piece of work, on a CPU and on CUDA."""
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)


class SavedBytes:
    """Counts what autograd keeps for the backward pass inside a block.

    A storage counts once, however many tensors of it are kept.

    Args:
        without (Iterable[Tensor]): Tensors that are there anyway (inputs,
            parameters) and do not count.
    """

    def __init__(self, without: Iterable[Tensor] = ()) -> None:
        self.known = {_key(x) for x in without}
        # The storages themselves: a freed one could give its key to another.
        self.kept: dict[int, Any] = {}

    def __enter__(self) -> 'SavedBytes':
        def pack(x: Tensor) -> Tensor:
            if _key(x) not in self.known:
                self.kept[_key(x)] = x.untyped_storage()
            return x

        self._hooks = saved_tensors_hooks(pack, lambda x: x)
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)
        del self._hooks  # its function refers to this object: no cycle

    def bytes(self) -> int:
        """The sum so far."""
        return sum(x.nbytes() for x in self.kept.values())


def _key(x: Tensor) -> int:
    return x.untyped_storage()._cdata


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Time of one call, the device's queue emptied before and after."""
    wait(device)
    begun = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - begun


def wait(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def peak_bytes(work: Callable[[], object], device: torch.device
               ) -> int | None:
    """How much more memory one call held at its peak than before it.

    Returns:
        int | None: Of the device's allocator on CUDA; of the process's
        resident set on a CPU under Linux, which is coarse; elsewhere None.
    """
    if device.type == 'cuda':
        wait(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    try:
        Path('/proc/self/clear_refs').write_text('5')  # resets the peak
        before = _resident('VmRSS')
        work()
        return _resident('VmHWM') - before
    except OSError:
        return None


def _resident(field: str) -> int:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{field}:'):
            return 1024 * int(line.split()[1])
    raise OSError(f'/proc/self/status has no {field}')


def flop_counter() -> FlopCounterMode:
    """Counts floating-point operations inside a block.

    A multiplication and an addition are two.  Convolutions and matrix
    products count, fused attention on a CPU too, which torch's counter does
    not know; sums, norms, resizing and mmcv's own operators do not.
    """
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    backward = (
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward)
    return FlopCounterMode(display=False, custom_mapping={
        attention: lambda *shapes, **_: sdpa_flop_count(*shapes[:3]),
        backward: lambda *shapes, **_: sdpa_backward_flop_count(*shapes[:4])})
