"""Training steps of several methods over one student and one teacher.

The floor of a step with a teacher is the student's own step plus the
teacher's forward pass to its neck.
"""
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmrazor.models.utils import add_prefix
from rich.console import Console
from torch import Tensor, nn

from rdkd.algorithm import distillation_losses
from rdkd.experiments.benchmark_model import Bench
from rdkd.experiments.benchmark_rounds import Times, Work, take_turns
from rdkd.experiments.measure import SavedBytes, flop_counter, peak_bytes
from rdkd.io.terminal import progress
from rdkd.objectives.base import Objective, watching
from rdkd.objectives.build import build_objective

#: MMRazor's losses as its own configs for detectors have them: presets of
#: ``LevelDistiller``.
PEERS = dict(cwd='cwd', pkd='pkd_two_stage', mgd='mgd')
FLOORS = ('floor', 'floor with plain teacher')
METHODS = ('student', *FLOORS, 'rdkd', 'rdkd exact',
           *(f'{peer}{teacher}' for teacher in ('', ' mmrazor')
             for peer in PEERS))
Losses = dict[str, Tensor]


class Method(NamedTuple):
    """A way to train.

    Attributes:
        losses: Computes the losses of a step.
        learning: Parameters beside the student's.
    """
    losses: Callable[[], Losses]
    learning: Sequence[nn.Parameter] = ()


class Cost(NamedTuple):
    """What a step takes beside time.

    Attributes:
        saved: Bytes that autograd keeps for the backward pass.
        flops: Floating-point operations.
        peak: Bytes at the peak beyond those before; None where it is not
            known.
    """
    saved: int
    flops: int
    peak: int | None


def whole_teacher_losses(bench: Bench, objectives: Mapping[str, Objective]
                         ) -> Losses:
    """The losses of a batch as MMRazor computes them.

    Its teacher runs whole, heads and losses included, and is not made faster.

    Args:
        bench (Bench): The detectors.
        objectives (Mapping[str, Objective]): By the prefix of their losses.
    """
    batch = bench.inputs, bench.samples
    with torch.no_grad(), watching(
            objectives, bench.plain, 'teacher') as theirs:
        bench.plain(*batch, mode='loss')
    student = bench.algorithm.student
    with watching(objectives, student, 'student') as ours:
        losses = dict(student(*batch, mode='loss'))
    for name, objective in objectives.items():
        losses.update(add_prefix(
            objective(ours[name], theirs[name], bench.samples), name))
    return losses


def objectives_of(bench: Bench, distiller: Mapping[str, Any], method: str
                  ) -> dict[str, Objective]:
    """What a method adds to the student's own losses.

    Args:
        bench (Bench): With the config's objectives.
        distiller (Mapping): The config's, of RDKD.
        method (str): One of :data:`METHODS` that distills.

    Returns:
        dict[str, Objective]: By the prefix of their losses.
    """
    peer = method.removesuffix(' mmrazor')
    algorithm = bench.algorithm
    if method == 'rdkd':
        return algorithm.active_objectives()
    objective = build_objective(
        {**distiller, 'kv_size': None} if method == 'rdkd exact' else
        dict(type='LevelDistiller', preset=PEERS[peer]))
    objective.prepare(algorithm.student, bench.plain)
    objective.init_weights()
    objective.to(bench.device).train()
    if peer != method:  # MMRazor knows no other objective of the config
        return dict(distill=objective)
    return {**algorithm.active_objectives(), 'distill': objective}


def method_of(bench: Bench, distiller: Mapping[str, Any], name: str
              ) -> Method:
    """A method by its name.

    Args:
        bench (Bench): What all methods share.
        distiller (Mapping): The config's, of RDKD.
        name (str): One of :data:`METHODS`.
    """
    algorithm, inputs, samples = bench.algorithm, bench.inputs, bench.samples

    def baseline() -> Losses:
        return algorithm.student(inputs, samples, mode='loss')

    if name == 'student':
        return Method(baseline)
    if name in FLOORS:
        teacher = bench.plain if 'plain' in name else algorithm.teacher.model

        def floor() -> Losses:
            with torch.no_grad():
                teacher.extract_feat(inputs)
            return baseline()
        return Method(floor)
    objectives = objectives_of(bench, distiller, name)
    learning = [parameter for objective in objectives.values()
                for parameter in objective.parameters()]
    if name.endswith(' mmrazor'):
        return Method(lambda: whole_teacher_losses(bench, objectives),
                      learning)
    return Method(lambda: distillation_losses(
        algorithm.student, algorithm.teacher, objectives, inputs, samples,
        algorithm.given), learning)


def step_of(bench: Bench, method: Method, optimizer: torch.optim.Optimizer
            ) -> Work:
    """A whole training step, as a function.

    Args:
        bench (Bench): What all methods share.
        method (Method): Gives the losses.
        optimizer (Optimizer): The student's, shared by the methods.
    """
    optimizers = [optimizer]
    if method.learning:
        optimizers.append(_sgd(method.learning))

    def step() -> None:
        total, _ = bench.algorithm.student.parse_losses(method.losses())
        total.backward()
        for each in optimizers:
            each.step()
            each.zero_grad()
    return step


def _sgd(parameters: Any) -> torch.optim.Optimizer:
    # Steps are real but tiny, or random weights might run away.
    return torch.optim.SGD(parameters, lr=1e-9, momentum=0.9)


def cost_of(bench: Bench, method: Method, step: Work) -> Cost:
    """Memory and operations of a step.

    Args:
        bench (Bench): What all methods share.
        method (Method): Whose step it is.
        step (Callable): Of :func:`step_of`.
    """
    algorithm = bench.algorithm
    there = [bench.inputs, *algorithm.parameters(), *method.learning,
             *algorithm.teacher.model.parameters(), *bench.plain.parameters()]
    with SavedBytes(there) as saved, flop_counter() as counter:
        step()
    return Cost(saved.bytes(), counter.get_total_flops(),
                peak_bytes(step, bench.device))


def measure_steps(bench: Bench, distiller: Mapping[str, Any],
                  names: Sequence[str], rounds: int
                  ) -> tuple[Times, dict[str, Cost]]:
    """Measure a training step of each method.

    Args:
        bench (Bench): What all methods share.
        distiller (Mapping): The config's, of RDKD.
        names (Sequence[str]): Of :data:`METHODS`.
        rounds (int): How often each is timed.

    Returns:
        tuple[dict[str, list[float]], dict[str, Cost]]: Seconds in each round,
        and what else a step takes, by the method's name.
    """
    methods = {name: method_of(bench, distiller, name) for name in names}
    optimizer = _sgd(bench.algorithm.student.parameters())
    steps = {name: step_of(bench, method, optimizer)
             for name, method in methods.items()}
    times = take_turns(steps, rounds, bench.device, 'training steps')
    with progress(Console(stderr=True)) as bars:
        costs = {name: cost_of(bench, methods[name], steps[name])
                 for name in bars.track(
                     steps, description='memory and FLOPs')}
    return times, costs
