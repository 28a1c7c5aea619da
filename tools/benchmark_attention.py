"""Time and memory of the position attention, three ways.

Forward and backward over one map of an 800x1344 image at stride 8, width 64:
written out with its (H*W)^2 matrix, fused, and fused over pooled keys and
values.  Every variant runs in a process of its own with one thread; times are
given as ratios, because machines differ.
"""
import argparse
import multiprocessing as mp
import resource
import time
from multiprocessing.queues import SimpleQueue

import torch
import torch.nn.functional as F
from torch import Tensor

from rdkd.models.attention import position_attention


def written_out(x: Tensor, kv_size: int) -> Tensor:
    flat = x.flatten(2)
    weights = (flat.transpose(1, 2) @ flat).softmax(dim=-1)
    return flat @ weights.transpose(1, 2)


def fused(x: Tensor, kv_size: int) -> Tensor:
    return position_attention(x, x, x)


def pooled(x: Tensor, kv_size: int) -> Tensor:
    context = F.adaptive_avg_pool2d(x, kv_size)
    return position_attention(x, context, context)


def measure(name: str, stride: int, kv_size: int,
            queue: 'SimpleQueue[tuple[float, float]]') -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = 0.1 * torch.randn(1, 64, 800 // stride, 1344 // stride)
    x.requires_grad_()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    globals()[name](x, kv_size).square().sum().backward()
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    queue.put((seconds, (peak - before) / 1024))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stride', type=int, default=8)
    parser.add_argument('--kv-size', type=int, default=32)
    args = parser.parse_args()
    context = mp.get_context('spawn')
    results = {}
    for name in ('written_out', 'fused', 'pooled'):
        queue: SimpleQueue[tuple[float, float]] = context.SimpleQueue()
        process = context.Process(
            target=measure, args=(name, args.stride, args.kv_size, queue))
        process.start()
        process.join()
        results[name] = queue.get()
    slowest = results['written_out'][0]
    print('| variant | time, written out = 1 | memory beyond the input |')
    print('|---|---:|---:|')
    for name, (seconds, megabytes) in results.items():
        print(f'| {name} | {seconds / slowest:.3f} | {megabytes:.0f} MB |')


if __name__ == '__main__':
    main()
