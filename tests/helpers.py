"""What several tests share: tiny models that train, and processes."""
import copy
import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
import torch.multiprocessing as mp
from mmdet.structures import DetDataSample
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData

from rdkd.layers.review import ReviewFusion
from rdkd.objectives.decoupled_pyramid_loss import DecoupledPyramidLoss

ROOT = Path(__file__).resolve().parent.parent
#: Seconds after which a process that hangs is ended.
LIMIT = 600


def build(cfg, **distiller):
    cfg = copy.deepcopy(cfg)
    cfg.model.distiller.update(distiller)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    return model


def steps(model, batch, count=2, optimizer=torch.optim.SGD, lr=1e-2):
    optimizer = optimizer(model.parameters(), lr)
    history = []
    for _ in range(count):
        losses = model(**copy.deepcopy(batch), mode='loss')
        total, log_vars = model.parse_losses(losses)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(log_vars)
    return history


def digest(module):
    return hashlib.sha256(b''.join(
        value.numpy().tobytes()
        for value in module.state_dict().values())).hexdigest()


def distillation_gradients(cfg, batch, wrap=lambda model: model):
    """Gradients of the distillation losses with respect to everything."""
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    # Away from the start, where attention and fusion do nothing yet.
    torch.manual_seed(1)
    for parameter in model.distiller.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    # Batch norm of the student sees each process's batch by itself, which is
    # MMDetection's behavior: take it out of the comparison.
    model.train()
    model.student.eval()
    wrapped = wrap(model)
    losses = wrapped(**batch, mode='loss')
    # The detector's own losses divide by counts of each process; they stay
    # in the graph, because DDP waits for every parameter.
    sum(torch.stack(v).sum() * 0 if isinstance(v, list) else
        v.sum() * (0 if k.startswith('student') else 1)
        for k, v in losses.items()).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def of_two_processes(work, cfg, batch):
    """What rank 0 of ``work(rank, port, cfg, batch, queue)`` puts there."""
    queue = mp.get_context('spawn').SimpleQueue()
    running = mp.spawn(work, (free_port(), cfg, batch, queue), nprocs=2,
                       join=False)
    found = None
    while not running.join(timeout=1):
        if not queue.empty():
            found = queue.get()
    return queue.get() if found is None else found


def assert_same_gradients(found, expected):
    """Compare gradients by the name of their parameter."""
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        # Elements near zero are sums whose terms cancel: they are compared
        # on the scale of the largest.
        atol = max(1e-6, 1e-5 * gradient.abs().max().item())
        torch.testing.assert_close(
            torch.from_numpy(found[name]), gradient, rtol=2e-4, atol=atol,
            msg=lambda text, name=name: f'{name}: {text}')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def run(*command, code=0):
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True,
        cwd=ROOT, env=dict(os.environ, OMP_NUM_THREADS='1',
                           PYTHON=sys.executable), check=False,
        timeout=LIMIT)
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def tool(name, *arguments, code=0):
    return run(sys.executable, ROOT / 'tools' / name, *arguments, code=code)


def write(cfg, path):
    path.write_text(cfg.pretty_text)
    return path


def weights(file):
    return torch.load(file, weights_only=False)['state_dict']


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[key], other[key]) for key in one)


def assert_same(one, other, where='checkpoint'):
    """Compare tensors and all else in nested containers, bit by bit."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f'{where}.{key}')
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f'{where}[{i}]')
    else:
        assert one == other, where


def metrics(work_dir):
    file = next(work_dir.glob('*/2*.json'))
    return {key: value for key, value in json.loads(file.read_text()).items()
            if key.startswith('coco/')}


def review_fusion(channels, attention=True, kv_size=16, reduction=4):
    return ReviewFusion(channels, attention, kv_size, reduction)


def pyramid_loss(fg_weight=1.0, bg_weight=0.5, pyramid=True,
                 standardize=True):
    return DecoupledPyramidLoss(fg_weight, bg_weight, pyramid, standardize)


def draw(*shape, seed=0, dtype=torch.float64, scale=1.0):
    """The same normal random numbers every time."""
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=dtype)


def sample(boxes, img_shape=(64, 64), batch_shape=(64, 64), ignored=None):
    """An image's sample with boxes ``x1 y1 x2 y2`` of class 0."""
    data = DetDataSample(metainfo=dict(img_shape=img_shape,
                                       batch_input_shape=batch_shape))
    data.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4),
        labels=torch.zeros(len(boxes), dtype=torch.long))
    if ignored is not None:
        data.ignored_instances = InstanceData(
            bboxes=torch.tensor(ignored).reshape(-1, 4))
    return data


def assert_weight_zero_is_the_baseline(plain_cfg, cfg, batch):
    """Losses, gradients, weights and random state, bit by bit."""
    distilled = build(cfg, loss_weight=0)
    after_build = torch.get_rng_state()
    torch.manual_seed(0)
    plain = MODELS.build(plain_cfg.model)
    plain.init_weights()
    plain.train()
    assert torch.equal(after_build, torch.get_rng_state())
    ours = steps(distilled, batch, 3)
    state = torch.get_rng_state()
    torch.set_rng_state(after_build)
    theirs = steps(plain, batch, 3)
    assert torch.equal(state, torch.get_rng_state())
    for one, other in zip(ours, theirs, strict=True):
        assert {k.removeprefix('student.'): v for k, v in one.items()} == other
    for (key, p), q in zip(plain.named_parameters(),
                           distilled.student.parameters(), strict=True):
        assert torch.equal(p, q), key
        assert torch.equal(p.grad, q.grad), key
