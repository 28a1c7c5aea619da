"""What distillation costs: time, memory and FLOPs of a training step.

The floor of a step with a teacher is the student's own step plus the
teacher's forward pass to its neck.  RDKD and MMRazor's CWD, PKD and MGD are
measured against it in one process, taking turns, so that whatever else the
machine does meets them alike.  Weights are random: they do not matter here.
"""
import argparse
import copy
import json
import platform
import re
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from mmengine.runner import save_checkpoint
from phases import ROOT, progress
from rich.console import Console
from torch import Tensor, nn

from rdkd.algorithm import DetectorDistillation
from rdkd.cli.common import readable_errors
from rdkd.detectors.classes import class_counts
from rdkd.errors import InputError
from rdkd.experiments.measure import (
    SavedBytes,
    flop_counter,
    peak_bytes,
    seconds,
)
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.io.config import load_config, without_downloads
from rdkd.layers.attention import PositionAttention
from rdkd.layers.review import FuseModule, ReviewFusion
from rdkd.report.report import markdown
from rdkd.teacher.build import build_teacher

#: MMRazor's losses as its own configs for detectors have them.
PEERS: dict[str, dict[str, Any]] = dict(
    cwd=dict(loss=dict(type='ChannelWiseDivergence', tau=1, loss_weight=10)),
    pkd=dict(loss=dict(type='PKDLoss', loss_weight=6), levels=4),
    mgd=dict(loss=dict(type='MGDLoss', alpha_mgd=2e-5),
             connector=dict(type='MGDConnector', lambda_mgd=0.65)))
FLOORS = ('floor', 'floor with plain teacher')
METHODS = ('student', *FLOORS, 'rdkd', 'rdkd exact',
           *(f'{peer}{teacher}' for teacher in ('', ' mmrazor')
             for peer in PEERS))
#: Of the neck levels in the measurements of attention and fusion.
CHANNELS, STRIDES = 256, (4, 8, 16)
Work = Callable[[], object]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', default=str(
        ROOT / 'configs/rdkd_retinanet_r101_r50.py'))
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction,
        help='overrides of the config, e.g. model.distiller.reduction=1')
    parser.add_argument('--size', type=int, nargs=2, default=(800, 1344),
                        metavar=('HEIGHT', 'WIDTH'), help='of the images')
    parser.add_argument('--batch', type=int, default=1, help='images')
    parser.add_argument('--boxes', type=int, default=8, help='per image')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument(
        '--methods', type=lambda text: text.split(','), default=METHODS,
        help=f'of {", ".join(METHODS)}; "mmrazor" is with the teacher run as '
        'MMRazor runs it')
    parser.add_argument('--device', default='cuda' if
                        torch.cuda.is_available() else 'cpu')
    parser.add_argument('--threads', type=int, help='of the CPU')
    parser.add_argument('--compile', action='store_true',
                        help='measure torch.compile of the teacher too')
    parser.add_argument('--no-attention', action='store_true',
                        help='leave out the measurements of attention alone')
    parser.add_argument('--json', type=Path, metavar='FILE')
    parser.add_argument('--plot', type=Path, metavar='FILE')
    args = parser.parse_args()
    for name in args.methods:
        if name not in METHODS:
            parser.error(f'--methods: there is no {name!r}; choose of '
                         f'{", ".join(METHODS)}')
    if min(*args.size, args.batch, args.rounds) < 1 or args.boxes < 0:
        parser.error('--size, --batch and --rounds must be positive')
    for file in (args.json, args.plot):
        if file is not None and file.exists():
            parser.error(f'{file} exists; move it away or name another file')
    return args


class Method(NamedTuple):
    """A way to train.

    Attributes:
        losses: Computes the losses of a step.
        learning: Parameters beside the student's.
    """
    losses: Callable[[], dict[str, Tensor]]
    learning: list[nn.Parameter]


class Bench:
    """A student, its teacher plain and fast, and the methods over them.

    All methods share one student: what differs is the distiller.
    """

    def __init__(self, cfg: Config, args: argparse.Namespace) -> None:
        self.device = torch.device(args.device)
        teacher_cfg = cfg.model.teacher
        if isinstance(teacher_cfg, str):
            teacher_cfg = load_config(teacher_cfg).model
        without_downloads(teacher_cfg)
        without_downloads(cfg.model)
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / 'teacher.pth')
            random = MODELS.build(copy.deepcopy(teacher_cfg))
            random.init_weights()
            save_checkpoint(dict(state_dict=random.state_dict()), file)
            cfg.model.update(teacher=teacher_cfg, teacher_ckpt=file)
            self.plain = build_teacher(copy.deepcopy(teacher_cfg), file).to(
                self.device)
            self.rdkd: DetectorDistillation = MODELS.build(cfg.model)
        self.rdkd.init_weights()
        self.rdkd.to(self.device).train()
        self.distiller_cfg = cfg.model.distiller
        classes = max(class_counts(cfg.model.architecture))
        data = demo_mm_inputs(
            args.batch, [[3, *args.size]] * args.batch,
            num_items=[args.boxes] * args.batch, num_classes=classes,
            device=args.device)
        data = self.rdkd.data_preprocessor(data, True)
        self.inputs: Tensor = data['inputs']
        self.samples = data['data_samples']
        # Steps are real but tiny, or random weights might run away.
        self.optimizer = torch.optim.SGD(
            self.rdkd.student.parameters(), lr=1e-9, momentum=0.9)

    def distillation(self, distiller: dict[str, Any],
                     teacher: nn.Module | None = None
                     ) -> DetectorDistillation:
        """The same algorithm, student and teacher with another distiller."""
        model = copy.copy(self.rdkd)
        model.__dict__['_modules'] = dict(self.rdkd._modules)
        if teacher is not None:
            object.__setattr__(model, '_teacher', teacher)
        with DefaultScope.overwrite_default_scope('mmrazor'):
            model.distiller = MODELS.build(distiller)
            model.distiller.prepare_from_student(model.student)
            model.distiller.prepare_from_teacher(model.teacher)
        model.distiller.to(self.device).train()
        return model

    def method(self, name: str) -> Method:
        """A method by its name."""
        student = self.rdkd.student

        def alone() -> dict[str, Tensor]:
            return student(self.inputs, self.samples, mode='loss')

        if name == 'student':
            return Method(alone, [])
        if name.startswith('floor'):
            teacher = self.plain if 'plain' in name else self.rdkd.teacher

            def above() -> dict[str, Tensor]:
                with torch.no_grad():
                    teacher.extract_feat(self.inputs)
                return alone()
            return Method(above, [])
        kind, _, how = name.partition(' ')
        cfg = (dict(PEERS[kind], type='LevelDistiller') if kind in PEERS
               else dict(self.distiller_cfg))
        if how == 'exact':
            cfg['kv_size'] = None
        model = self.distillation(cfg,
                                  self.plain if how == 'mmrazor' else None)
        learning = list(model.distiller.parameters())
        if how != 'mmrazor':
            return Method(lambda: model.loss(self.inputs, self.samples),
                          learning)

        def as_mmrazor() -> dict[str, Tensor]:
            # Its teacher runs whole, heads and losses included.
            with model.distiller.teacher_recorders, torch.no_grad():
                model.teacher(self.inputs, self.samples, mode='loss')
            with model.distiller.student_recorders:
                losses = dict(alone())
            losses.update(model.distiller.compute_distill_losses(self.samples))
            return losses
        return Method(as_mmrazor, learning)

    def step(self, method: Method) -> Work:
        """A whole training step, as a function."""
        optimizers = [self.optimizer]
        if method.learning:
            optimizers.append(torch.optim.SGD(method.learning, lr=1e-9,
                                              momentum=0.9))

        def step() -> None:
            total, _ = self.rdkd.student.parse_losses(method.losses())
            total.backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
        return step

    def costs(self, method: Method, step: Work) -> dict[str, Any]:
        """Memory and FLOPs of a step."""
        there = [self.inputs, *self.rdkd.parameters(), *method.learning,
                 *self.rdkd.teacher.parameters(), *self.plain.parameters()]
        with (SavedBytes(there) as saved,
              flop_counter() as counter):
            step()
        return dict(saved=saved.bytes(), flops=counter.get_total_flops(),
                    peak=peak_bytes(step, self.device))

    def teachers(self, compiled: bool) -> dict[str, Work]:
        """The teacher's forward pass, plain and step by step faster."""
        fast = self.rdkd.teacher
        folded = copy.deepcopy(fast).to(memory_format=torch.contiguous_format)

        def run(forward: Work, dtype: torch.dtype | None = None,
                without_grad: Any = torch.no_grad) -> Work:
            def work() -> None:
                with without_grad(), torch.autocast(
                        self.device.type, dtype, enabled=dtype is not None):
                    forward()
            return work

        def features(teacher: Any) -> Work:
            return lambda: teacher.extract_feat(self.inputs)

        passes = {
            'plain': run(features(self.plain)),
            'norms folded': run(features(folded)),
            'folded and channels-last (fast)': run(features(fast)),
            'fast, inference_mode': run(features(fast),
                                        without_grad=torch.inference_mode),
            'fast, bfloat16': run(features(fast), torch.bfloat16)}
        if compiled:
            graph = torch.compile(fast.extract_feat)
            passes['fast, torch.compile'] = run(lambda: graph(self.inputs))
        return passes


class WrittenOut(nn.Module):
    """DANet's position attention as published, with its ``(H*W)^2`` matrix.

    Fu et al., CVPR 2019, section 3.2: query and key have an eighth of the
    channels, the value has all.
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


def attentions(stride: int, args: argparse.Namespace,
               device: torch.device) -> dict[str, Work]:
    """Forward and backward of attention and fusion over one level."""
    with torch.device(device):
        x = 0.1 * torch.randn(args.batch, CHANNELS, *(
            -(-side // stride) for side in args.size))
        danet = WrittenOut(CHANNELS)
        exact, pooled = (PositionAttention(CHANNELS, kv) for kv in (None, 16))
        fuse = FuseModule(CHANNELS, CHANNELS // 4, CHANNELS // 4, True, 16)
        coarser = F.avg_pool2d(x[:, :CHANNELS // 4], 2, ceil_mode=True)
    x.requires_grad_()

    def run(forward: Callable[[Tensor], Tensor]) -> Work:
        return lambda: forward(x).sum().backward()

    return {'written out': run(danet),
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


def take_turns(works: dict[str, Work], rounds: int, device: torch.device,
               what: str) -> dict[str, list[float]]:
    """Seconds of each work in each round, after a first one for nothing.

    Ctrl-C ends it early: the rounds that are complete count.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    with progress(Console(stderr=True)) as bars:
        task = bars.add_task(what, total=(rounds + 1) * len(works))
        try:
            for number in range(rounds + 1):
                for name, work in works.items():
                    taken = seconds(work, device)
                    if number:
                        times[name].append(taken)
                    bars.advance(task)
        except KeyboardInterrupt:
            done = min(map(len, times.values()))
            if not done:
                raise
            times = {name: values[:done] for name, values in times.items()}
            bars.console.print(f'interrupted: {done} rounds count')
    return times


def ratio(times: dict[str, list[float]], name: str, base: str) -> str:
    """Median over the rounds of time(name) / time(base), and its spread.

    Returns:
        str: The median and half the interquartile range, or a dash if there
        is no ``base``.
    """
    if base not in times:
        return '-'
    values = [a / b for a, b in zip(times[name], times[base], strict=True)]
    spread = 0.0
    if len(values) > 1:
        low, _, high = statistics.quantiles(values, n=4)
        spread = (high - low) / 2
    return f'{statistics.median(values):.3f} ± {spread:.3f}'


def megabytes(value: float | None) -> str:
    return '-' if value is None else f'{value / 1e6:.0f} MB'


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


def measure_teacher(bench: Bench, args: argparse.Namespace,
                    results: dict[str, Any]) -> str:
    """The table of the teacher's forward pass."""
    times = take_turns(bench.teachers(args.compile), args.rounds,
                       bench.device, 'teacher')
    results['teacher'] = times
    return markdown([['teacher\'s forward pass', 'time', 'plain = 1'], *(
        [name, f'{statistics.median(values):.3f} s',
         ratio(times, name, 'plain')] for name, values in times.items())])


def measure_steps(bench: Bench, args: argparse.Namespace,
                  results: dict[str, Any]) -> str:
    """The table of training steps."""
    methods = {name: bench.method(name) for name in args.methods}
    steps = {name: bench.step(method) for name, method in methods.items()}
    times = take_turns(steps, args.rounds, bench.device, 'training steps')
    with progress(Console(stderr=True)) as bars:
        costs = {name: bench.costs(methods[name], steps[name]) for name in
                 bars.track(steps, description='memory and FLOPs')}
    results.update(seconds=times, costs=costs)
    rows = []
    for name, cost in costs.items():
        more = (f'{cost["saved"] / costs["student"]["saved"] - 1:+.1%}'
                if 'student' in costs else '-')
        rows.append([name, f'{statistics.median(times[name]):.2f} s',
                     *(ratio(times, name, base) for base in FLOORS),
                     megabytes(cost['saved']), more, megabytes(cost['peak']),
                     f'{cost["flops"] / 1e12:.2f} T'])
    return markdown([
        ['training step', 'time', 'floor = 1', 'plain floor = 1',
         'saved by autograd', 'beyond the student', 'peak', 'FLOPs'], *rows])


def measure_attention(bench: Bench, args: argparse.Namespace,
                      results: dict[str, Any]) -> str:
    """The table of the attentions at the three finest strides."""
    rows, found = [], results.setdefault('attention', {})
    for stride in STRIDES:
        works = attentions(stride, args, bench.device)
        matrix = 4 * args.batch * (args.size[0] * args.size[1] / stride**2)**2
        # With its softmax, their gradients and one copy.
        fits = 5 * matrix < available_bytes(bench.device)
        if not fits:
            del works['written out']
            rows.append([f'stride {stride}, written out', 'does not fit', '-',
                         f'at least {megabytes(2 * matrix)}', '-'])
        times = take_turns(works, min(args.rounds, 3), bench.device,
                           f'attention at stride {stride}')
        for name, work in works.items():
            with SavedBytes() as saved:
                work()
            peak = peak_bytes(work, bench.device)
            found[f'stride {stride}, {name}'] = dict(
                seconds=times[name], saved=saved.bytes(), peak=peak)
            rows.append([f'stride {stride}, {name}',
                         f'{statistics.median(times[name]):.3f} s',
                         ratio(times, name, 'written out'),
                         megabytes(saved.bytes()), megabytes(peak)])
    return markdown([['attention, forward and backward', 'time',
                      'written out = 1', 'saved by autograd', 'peak'], *rows])


def measure_growth(bench: Bench, args: argparse.Namespace,
                   results: dict[str, Any]) -> str:
    """How the memory of the fusion grows with the image's area."""
    saved = []
    for width in (args.size[1], 2 * args.size[1]):
        with torch.device(bench.device):
            levels = [torch.randn(args.batch, CHANNELS, -(-args.size[0] // s),
                                  -(-width // s), requires_grad=True)
                      for s in (4, 8, 16, 32, 64)]
            fusion = ReviewFusion([CHANNELS] * len(levels))
        with SavedBytes([*levels, *fusion.parameters()]) as kept:
            fusion(levels)
        saved.append(kept.bytes())
    results['fusion'] = saved
    return (f'What the fusion of strides 4 to 64 keeps for its backward pass: '
            f'{megabytes(saved[0])}, and {megabytes(saved[1])} for twice the '
            f'area, {saved[1] / saved[0]:.2f} times as much.')


def plot(times: dict[str, list[float]], file: Path) -> None:
    """Time of a step with each method over that of the floor."""
    base = 'floor' if 'floor' in times else next(iter(times))
    values = {name: [a / b for a, b in zip(taken, times[base], strict=True)]
              for name, taken in times.items()}
    figure = Figure(figsize=(8, 0.4 * len(values) + 1.2))
    axes = figure.subplots()
    axes.boxplot(list(values.values()), orientation='horizontal',
                 tick_labels=list(values))
    axes.axvline(1, color='grey', linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel(f'time of a training step, {base} = 1')
    figure.tight_layout()
    figure.savefig(file)


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    cfg = load_config(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if 'teacher' not in cfg.model:
        raise InputError(f'{args.config} has no teacher: name a distillation '
                         'config, such as configs/rdkd_retinanet_r101_r50.py.')
    if cfg.model.distiller.type != 'RDKDDistiller':
        raise InputError(f'the distiller of {args.config} is no RDKDDistiller,'
                         ' which is measured beside the others: name a config '
                         'of RDKD.')
    init_default_scope('mmdet')
    # mmengine gives an account of every initialised weight.
    MMLogger.get_instance('benchmark', log_level='ERROR')
    bench = Bench(cfg, args)
    setting = (f'{Path(args.config).name}, {args.size[0]}x{args.size[1]}, '
               f'batch {args.batch}, {args.rounds} rounds, {bench.device}. '
               f'{machine(bench.device)}.')
    print(setting, flush=True)
    results: dict[str, Any] = dict(setting=setting)
    parts = [measure_teacher, measure_steps]
    if not args.no_attention:
        parts += [measure_attention, measure_growth]
    for measure in parts:
        print(f'\n{measure(bench, args, results)}', flush=True)
        if args.json:
            AtomicLocalBackend().put(json.dumps(results, indent=1).encode(),
                                     args.json)
    if args.plot:
        plot(results['seconds'], args.plot)


if __name__ == '__main__':
    with readable_errors('What was printed stands.'):
        main()
