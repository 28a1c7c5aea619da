"""Taking what a part of a model puts out, while the model runs."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def outputs_of(module: nn.Module) -> Iterator[list[Any]]:
    """Take a module's output whenever it runs inside the block.

    Args:
        module (nn.Module): A neck or a head, whose output is a sequence.

    Yields:
        list: Filled when the module has run: of a neck the levels
        ``(N, C, H_l, W_l)``, of a dense head one list of levels for each of
        its outputs.  A second run replaces the first.
    """
    seen: list[Any] = []

    def keep(_: nn.Module, inputs: Any, output: Any) -> None:
        seen[:] = output

    hook = module.register_forward_hook(keep)
    try:
        yield seen
    finally:
        hook.remove()
