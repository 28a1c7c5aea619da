"""Random numbers that leave no trace."""
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def isolated_random_state(device: torch.device) -> Iterator[None]:
    """Restore torch's random state on leaving the block.

    The student draws the same random numbers with and without a distiller
    beside it, so that a distilled run and its baseline start from the same
    weights and see the same batches.
    """
    devices = [device] if device.type == 'cuda' else []
    with torch.random.fork_rng(devices=devices):
        yield
