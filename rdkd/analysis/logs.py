"""What mmengine logged of a training."""
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Steps and values.
Curve = list[tuple[float, float]]


def log_entries(work_dir: Path) -> Iterator[dict[str, Any]]:
    """Read a run's log line by line; later runs of a folder come later.

    Args:
        work_dir (Path): The run's folder.

    Yields:
        dict: What was logged of one step, by name.
    """
    for log in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in log.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue  # the last line of a run that was killed


def read_history(work_dir: Path) -> tuple[Curve, dict[str, Curve]]:
    """Read mAP and losses over a run.

    A run that was interrupted has several logs; later ones win.

    Args:
        work_dir (Path): The run's folder.

    Returns:
        tuple[Curve, dict[str, Curve]]: ``(epoch, mAP in [0, 1])``, and for
        every logged loss ``(iteration, value)``.
    """
    curve: dict[float, float] = {}
    losses: dict[str, dict[float, float]] = {}
    for entry in log_entries(work_dir):
        if 'coco/bbox_mAP' in entry:
            curve[entry['step']] = entry['coco/bbox_mAP']
        for key, value in entry.items():
            if 'loss' in key and isinstance(value, float):
                losses.setdefault(key, {})[entry['step']] = value
    return sorted(curve.items()), {
        key: sorted(values.items()) for key, values in losses.items()}


def training_seconds(work_dir: Path) -> float:
    """Time of a run's training steps.

    Args:
        work_dir (Path): The run's folder.

    Returns:
        float: Seconds: the time of each logged step, for it and those since
        the one logged before.
    """
    seen: dict[int, float] = {}
    for entry in log_entries(work_dir):
        if 'loss' in entry:
            seen[entry['iter']] = entry['time']
    steps, total = 0, 0.0
    for step, seconds in sorted(seen.items()):
        total += seconds * (step - steps)
        steps = step
    return total
