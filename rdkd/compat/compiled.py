"""``torch.compile`` where it works, and a word where it does not."""
from typing import Any

import torch
from mmengine.logging import print_log
from torch import nn


class Compiled:
    """A function under ``torch.compile``, or plain if that is impossible.

    Args:
        function (Callable): What to compile.
        name (str): For the message.
    """

    def __init__(self, function: Any, name: str) -> None:
        self.plain = function
        self.compiled: Any = torch.compile(function)
        self.name = name

    def __call__(self, *args: Any) -> Any:
        """Call the function; the first call of a shape compiles it."""
        if self.compiled is None:
            return self.plain(*args)
        try:
            return self.compiled(*args)
        except Exception as error:
            self.compiled = None
            reason = str(error).strip().splitlines() or [repr(error)]
            print_log(
                f'torch.compile failed for the {self.name}, which now runs '
                f'without it: {type(error).__name__}: {reason[0]}. It needs '
                'a C++ compiler (on CUDA, Triton); leave `compile` out of '
                'the config to silence this.', 'current', level=30)
            return self.plain(*args)


def compile_forward(module: nn.Module | None, name: str) -> None:
    """Compile what a module computes; hooks on its call stay outside.

    Args:
        module (nn.Module, optional): Changed in place; None is left alone.
        name (str): For the message.
    """
    if module is not None:
        module.forward = Compiled(module.forward, name)
