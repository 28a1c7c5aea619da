"""Writing the student of a training checkpoint for deployment."""
from pathlib import Path
from typing import Any

from mmengine.runner import save_checkpoint

from rdkd.errors import InputError
from rdkd.io.checkpoint import deployable, load_checkpoint_file


def export(checkpoint: str, out: Path) -> dict[str, Any]:
    """Write the student for its plain MMDetection config.

    Args:
        checkpoint (str): Of a training run.
        out (Path): File to write, whole or not at all.

    Returns:
        dict: What was written, the weights under ``state_dict``.

    Raises:
        InputError: If ``out`` exists or ``checkpoint`` cannot be used.
    """
    if out.exists():
        raise InputError(f'{out} exists already. Choose another name.')
    student = deployable(load_checkpoint_file(checkpoint), checkpoint)
    save_checkpoint(student, str(out), backend_args=dict(backend='atomic'))
    return student
