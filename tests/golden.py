"""What every shipped config computes, pinned in ``golden.json``.

``python tests/golden.py`` writes the file anew; it is only to change where a
change of the method is meant.
"""
import hashlib
import inspect
import json
import sys
import tempfile
from pathlib import Path

import torch
from mmdet.testing import demo_mm_inputs
from mmengine.registry import HOOKS, MODELS, init_default_scope
from mmengine.runner import save_checkpoint

import rdkd  # noqa: F401
from rdkd.detectors.classes import class_counts
from rdkd.io.config import load_config, without_downloads
from rdkd.runtime.defaults import complete

ROOT = Path(__file__).resolve().parent.parent
FILE = Path(__file__).with_name('golden.json')
CONFIGS = [*sorted((ROOT / 'configs').glob('*.py')),
           *sorted((ROOT / 'configs/peers').glob('*.py'))]
#: Models themselves, and what depends on the machine.
NOT_RECORDED = ('architecture', 'teacher', 'data_preprocessor', 'self')


def plain(value):
    """A config's value as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def resolved(part):
    """Type and arguments of a registered part, its defaults filled in."""
    settings = plain(dict(part))
    kind = settings.pop('type')
    cls = (MODELS.get(kind) or MODELS.get(f'mmrazor.{kind}')
           or HOOKS.get(kind))
    if 'preset' in settings:
        presets = cls.__init__.presets
        settings = {**presets[settings.pop('preset')], **settings}
    bound = inspect.signature(cls.__init__).bind_partial(None, **settings)
    bound.apply_defaults()
    found = dict(type=kind)
    for name, value in bound.arguments.items():
        if name in NOT_RECORDED:
            continue
        if isinstance(value, dict) and 'type' in value:
            value = resolved(value)
        found[name] = plain(value)
    return found


def run_settings(cfg):
    """What a run of a config adds to the model: hooks, and how it saves."""
    cfg = complete(cfg.copy())
    return dict(hooks=sorted((resolved(hook) for hook in cfg.custom_hooks),
                             key=lambda hook: hook['type']),
                checkpoint=plain(cfg.default_hooks.checkpoint))


def teacher_file(cfg, folder):
    """A checkpoint of a config's real teacher with random weights."""
    teacher = load_config(cfg.model.teacher).model
    without_downloads(teacher)
    file = str(Path(folder) / 'teacher.pth')
    save_checkpoint(dict(state_dict=MODELS.build(teacher).state_dict()), file)
    return file


def parts_norms(model):
    """Norm of the gradient of every part, two or three names deep."""
    squares = {}
    for name, parameter in model.named_parameters():
        names = name.split('.')
        part = '.'.join(names[:3 if names[0] == 'distiller' else 2])
        if parameter.grad is not None:
            squares[part] = squares.get(part, 0) + float(
                parameter.grad.double().square().sum())
    return {part: square**0.5 for part, square in squares.items()}


def snapshot(path, folder):
    """Take a step of a config at a small input, from seed 0.

    Args:
        path (Path): The config.
        folder (path): Receives the teacher's checkpoint.

    Returns:
        tuple: The model after the step, its losses, and what the golden file
        holds of it.
    """
    cfg = load_config(str(path))
    torch.manual_seed(0)
    found = run_settings(cfg)
    if 'teacher' in cfg.model:
        found['model'] = resolved(cfg.model)
        cfg.model.teacher_ckpt = teacher_file(cfg, folder)
    without_downloads(cfg.model)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    classes, = set(class_counts(cfg.model.get('architecture', cfg.model)))
    data = demo_mm_inputs(2, [[3, 96, 128], [3, 128, 96]], num_items=[2, 0],
                          num_classes=classes)
    data = model.data_preprocessor(data, True)
    total, losses = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    state = model.state_dict()
    inside = sorted(key for key in state if key.startswith('architecture.')
                    or 'teacher' not in cfg.model)
    found.update(
        losses={name: float(value) for name, value in losses.items()},
        gradients=parts_norms(model),
        detector_keys=hashlib.sha256('\n'.join(inside).encode()).hexdigest(),
        other_keys={key: list(value.shape) for key, value in state.items()
                    if key not in inside})
    optimizer.step()
    return model, losses, found


def main():
    init_default_scope('mmdet')
    torch.set_num_threads(1)
    golden = {}
    for path in CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            golden[path.stem] = snapshot(path, folder)[2]
        print(path.stem, file=sys.stderr)
    FILE.write_text(json.dumps(golden, indent=1, sort_keys=True) + '\n')


if __name__ == '__main__':
    main()
