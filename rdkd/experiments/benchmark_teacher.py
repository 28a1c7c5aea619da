"""The teacher's forward pass, plain and step by step faster."""
import copy
from typing import Any

import torch
from torch import nn

from rdkd.experiments.benchmark_model import Bench
from rdkd.experiments.benchmark_rounds import Times, Work, take_turns


def teacher_passes(bench: Bench, compiled: bool) -> dict[str, Work]:
    """Ways to run the teacher to its neck.

    Args:
        bench (Bench): With the teacher as it was loaded and made faster.
        compiled (bool): Whether ``torch.compile`` is one of them.

    Returns:
        dict[str, Callable]: By what was done.
    """
    fast = bench.algorithm.teacher.model
    folded = copy.deepcopy(fast).to(memory_format=torch.contiguous_format)

    def run(forward: Work, dtype: torch.dtype | None = None,
            without_grad: Any = torch.no_grad) -> Work:
        def work() -> None:
            with without_grad(), torch.autocast(
                    bench.device.type, dtype, enabled=dtype is not None):
                forward()
        return work

    def features(teacher: nn.Module) -> Work:
        return lambda: teacher.extract_feat(bench.inputs)  # type: ignore

    passes = {
        'plain': run(features(bench.plain)),
        'norms folded': run(features(folded)),
        'folded and channels-last (fast)': run(features(fast)),
        'fast, inference_mode': run(features(fast),
                                    without_grad=torch.inference_mode),
        'fast, bfloat16': run(features(fast), torch.bfloat16)}
    if compiled:
        graph = torch.compile(fast.extract_feat)
        passes['fast, torch.compile'] = run(lambda: graph(bench.inputs))
    return passes


def measure_teacher(bench: Bench, compiled: bool, rounds: int) -> Times:
    """Time the teacher's forward pass.

    Args:
        bench (Bench): With a teacher.
        compiled (bool): Whether to measure ``torch.compile`` too.
        rounds (int): How often each way is timed.

    Returns:
        dict[str, list[float]]: Seconds of each way in each round.
    """
    return take_turns(teacher_passes(bench, compiled), rounds, bench.device,
                      'teacher')
