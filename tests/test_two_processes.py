"""Promise 7: two processes compute the gradient of one, without tricks."""
import copy

import torch
from helpers import (
    assert_same_gradients,
    distillation_gradients,
    of_two_processes,
)
from mmengine.model import MMDistributedDataParallel


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
        model.teacher.model.bbox_head.retina_cls.bias.fill_(rank)
        wrapped = MMDistributedDataParallel(
            model, device_ids=None, find_unused_parameters=False)
        assert model.teacher.model.bbox_head.retina_cls.bias.eq(rank).all()
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


def test_two_processes_equal_one(rdkd_cfg, batch):
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
