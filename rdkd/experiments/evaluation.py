"""Evaluating what was trained, as it is deployed."""
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdkd.experiments.phase import Phase
from rdkd.io.terminal import busy
from rdkd.runtime.commands import run_command
from rdkd.runtime.exporting import export

#: What CocoMetric does not say when nothing at all is detected.
_NOTHING = {f'coco/bbox_{key}': 0.0 for key in (
    'mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')}


@dataclass(frozen=True)
class Evaluation:
    """What was measured on the validation images.

    Attributes:
        metrics: ``CocoMetric``'s values, e.g. ``coco/bbox_mAP`` in [0, 1].
        detections: In COCO's format.
    """
    metrics: dict[str, float]
    detections: list[dict[str, Any]]


def read_detections(prefix: Path) -> list[dict[str, Any]]:
    """What ``rdkd test --outfile-prefix PREFIX`` wrote; no file is none."""
    file = Path(f'{prefix}.bbox.json')
    return json.loads(file.read_text()) if file.is_file() else []


def evaluate(phase: Phase, plain: Phase) -> Evaluation:
    """Export the deployed model and evaluate what was exported.

    Args:
        phase (Phase): What was trained.
        plain (Phase): Whose config is that of the plain detector.

    Returns:
        Evaluation: Kept from an earlier time, if the model is the same.

    Raises:
        InputError: If one of them fails.
    """
    metrics, prefix = phase.results / 'metrics.json', phase.results / 'val'
    trained = phase.last_checkpoint()
    # Made anew when the model was trained anew.
    if not (metrics.is_file() and phase.deployed.is_file()
            and metrics.stat().st_mtime_ns > trained.stat().st_mtime_ns):
        phase.deployed.unlink(missing_ok=True)  # made again from its source
        shutil.rmtree(phase.results, ignore_errors=True)
        with busy(f'{phase.title}, export and evaluation'):
            # Not a command of its own, which takes seconds to import.
            export(str(trained), phase.deployed)
            run_command('test', plain.config, phase.deployed,
                        '--work-dir', phase.results, '--outfile-prefix',
                        prefix, '--no-image-check', '--metrics', metrics,
                        about=phase.title, log=phase.log)
    return Evaluation(_NOTHING | json.loads(metrics.read_text()),
                      read_detections(prefix))
