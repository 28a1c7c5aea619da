"""Promise 7: two processes compute the gradient of one, without tricks."""
import copy
import socket

import torch
import torch.multiprocessing as mp
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODELS, init_default_scope


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


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
    # MMDetection's behaviour: take it out of the comparison.
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


def one_of_two(rank, port, cfg, batch, queue):
    import rdkd  # noqa: F401
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank,
        world_size=2)
    half = dict(inputs=batch['inputs'][2 * rank:2 * rank + 2],
                data_samples=batch['data_samples'][2 * rank:2 * rank + 2])

    def wrap(model):
        # Of its own on each process: DDP would make them equal.
        model.teacher.bbox_head.retina_cls.bias.fill_(rank)
        wrapped = MMDistributedDataParallel(
            model, device_ids=None, find_unused_parameters=False)
        assert model.teacher.bbox_head.retina_cls.bias.eq(rank).all()
        in_buckets = wrapped._get_ddp_logging_data()[
            'total_parameter_size_bytes']
        assert in_buckets == sum(
            p.numel() * p.element_size() for p in
            [*model.student.parameters(), *model.distiller.parameters()])
        return wrapped

    gradients = distillation_gradients(cfg, half, wrap)
    if rank == 0:
        queue.put({k: v.numpy() for k, v in gradients.items()})
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


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


def test_promise_7_two_processes_equal_one(rdkd_cfg, batch):
    # Images of different sizes and one without boxes.
    for sample, width in zip(batch['data_samples'], (96, 40, 64, 90),
                             strict=True):
        sample.set_metainfo(dict(img_shape=(64, width)))
    empty = batch['data_samples'][1]
    empty.gt_instances = empty.gt_instances[:0]
    expected = distillation_gradients(rdkd_cfg, copy.deepcopy(batch))
    found = of_two_processes(one_of_two, rdkd_cfg, batch)
    assert any('review' in name for name in found)
    assert_same_gradients(found, expected)
