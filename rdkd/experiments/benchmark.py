"""What distillation costs: time, memory and FLOPs of a training step."""
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from rdkd.errors import InputError
from rdkd.experiments.benchmark_attention import (
    measure_attention,
    measure_growth,
)
from rdkd.experiments.benchmark_detectors import compare_detectors
from rdkd.experiments.benchmark_model import Batch, build_bench
from rdkd.experiments.benchmark_operators import compare_operators
from rdkd.experiments.benchmark_steps import METHODS, measure_steps
from rdkd.experiments.benchmark_tables import (
    attention_table,
    detectors_table,
    growth_sentence,
    operators_table,
    plot_steps,
    steps_table,
    teacher_table,
)
from rdkd.experiments.benchmark_teacher import measure_teacher
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.io.config import load_config, merge_options
from rdkd.runtime.settings import check_model


@dataclass(frozen=True)
class BenchmarkPlan:
    """What is measured.

    Attributes:
        config: File of a distillation with RDKD.
        batch: What a step is measured on.
        options: Overrides of the config.  Defaults to none.
        methods: Of :data:`~rdkd.experiments.benchmark_steps.METHODS`.
            Defaults to all.
        rounds: How often each is timed.  Defaults to 7.
        compiled: Whether to measure ``torch.compile`` of the teacher.
            Defaults to False.
        attention: Whether to measure attention by itself.  Defaults to True.
        json: Receives the raw results.  Defaults to no file.
        plot: Receives a plot of the steps' times.  Defaults to no file.
    """
    config: str
    batch: Batch
    options: Mapping[str, Any] | None = None
    methods: tuple[str, ...] = METHODS
    rounds: int = 7
    compiled: bool = False
    attention: bool = True
    json: Path | None = None
    plot: Path | None = None


def machine(device: torch.device) -> str:
    """What this was measured on."""
    name = platform.processor() or platform.machine()
    if device.type == 'cuda':
        name = torch.cuda.get_device_name(device)
    else:
        info = Path('/proc/cpuinfo')
        models = [line.partition(':')[2].strip() for line in
                  info.read_text().splitlines() if line.startswith(
                      'model name')] if info.exists() else []
        name = f'{(models or [name])[0]}, {torch.get_num_threads()} threads'
        if info.exists() and re.search(r'bf16', info.read_text()):
            name += ', bf16 instructions'
    return f'{name}; Python {platform.python_version()}, ' + ', '.join(
        f'{module.__name__} {module.__version__}' for module in
        map(__import__, ('torch', 'mmcv', 'mmdet', 'mmrazor')))


def benchmark(plan: BenchmarkPlan) -> None:
    """Measure and print the tables.

    Args:
        plan (BenchmarkPlan): What is measured.

    Raises:
        InputError: If the config is none of a distillation with RDKD.
    """
    torch.manual_seed(0)
    cfg = load_config(plan.config)
    merge_options(cfg, plan.options)
    if 'teacher' not in cfg.model:
        raise InputError(f'{plan.config} has no teacher: name a distillation '
                         'config, such as configs/rdkd_retinanet_r101_r50.py.')
    init_default_scope('mmdet')
    check_model(cfg.model)
    if cfg.model.distiller.type != 'RDKDDistiller':
        raise InputError(f'the distiller of {plan.config} is no RDKDDistiller,'
                         ' which is measured beside the others: name a config '
                         'of RDKD.')
    # mmengine gives an account of every initialized weight.
    MMLogger.get_instance('benchmark', log_level='ERROR')
    distiller = cfg.model.distiller.to_dict()
    bench = build_bench(cfg, plan.batch)
    height, width = plan.batch.size
    setting = (f'{Path(plan.config).name}, {height}x{width}, batch '
               f'{plan.batch.images}, {plan.rounds} rounds, {bench.device}. '
               f'{machine(bench.device)}.')
    results: dict[str, Any] = dict(setting=setting)

    def show(text: str, **found: Any) -> None:
        """Print a part and keep it, with those before, as raw results."""
        print(f'\n{text}', flush=True)
        results.update(found)
        if plan.json:
            AtomicLocalBackend().put(json.dumps(results, indent=1).encode(),
                                     plan.json)

    print(setting, flush=True)
    teacher = measure_teacher(bench, plan.compiled, plan.rounds)
    show(teacher_table(teacher), teacher=teacher)
    times, costs = measure_steps(bench, distiller, plan.methods, plan.rounds)
    show(steps_table(times, costs), seconds=times, costs={
        name: cost._asdict() for name, cost in costs.items()})
    if plan.attention:
        found = measure_attention(plan.batch, plan.rounds)
        show(attention_table(found), attention={
            f'stride {stride}, {name}': cost._asdict()
            for stride, each in found.items()
            for name, cost in each.costs.items()})
        growth = measure_growth(plan.batch)
        show(growth_sentence(growth), fusion=growth)
    if plan.plot:
        plot_steps(times, plan.plot)


def benchmark_operators(batch: Batch, rounds: int) -> None:
    """Measure MMCV's operators, compiled and not, and print the tables.

    Args:
        batch (Batch): What the detectors work on.
        rounds (int): How often each is timed.

    Raises:
        InputError: If MMCV has no compiled operators here.
    """
    device = torch.device(batch.device)
    torch.manual_seed(0)
    print(f'{rounds} rounds, {device}. {machine(device)}.\n')
    print(operators_table(compare_operators(device, rounds)), flush=True)
    height, width = batch.size
    print(f'{height}x{width}, batch {batch.images}, a process each:\n')
    print(detectors_table(compare_detectors(batch, rounds)))
