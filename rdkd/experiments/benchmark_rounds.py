"""Measuring pieces of work that take turns.

Whatever else the machine does so meets them alike.
"""
import statistics
from collections.abc import Callable, Mapping

import torch
from rich.console import Console

from rdkd.experiments.measure import seconds
from rdkd.io.terminal import progress

Work = Callable[[], object]
#: Seconds of each piece of work in each round.
Times = dict[str, list[float]]


def take_turns(works: Mapping[str, Work], rounds: int, device: torch.device,
               what: str) -> Times:
    """Time pieces of work, after a first round for nothing.

    Ctrl-C ends it early: the rounds that are complete count.

    Args:
        works (Mapping[str, Callable]): By name.
        rounds (int): How often each is timed.
        device (torch.device): Where they run.
        what (str): What they are, beside the bar.

    Returns:
        dict[str, list[float]]: Seconds of each in each round.
    """
    times: Times = {name: [] for name in works}
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


def ratio(times: Times, name: str, base: str) -> str:
    """Median over the rounds of time(name) / time(base), and its spread.

    Args:
        times (dict[str, list[float]]): Of :func:`take_turns`.
        name (str): Of the work.
        base (str): Of the work that it is compared with.

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
