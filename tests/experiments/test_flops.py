"""Operations are counted as by hand, and hours follow from them."""
import re

import pytest
import torch
from helpers import ROOT, tool, write
from mmengine.registry import MODELS
from torch import nn

from rdkd.cli import main
from rdkd.experiments import flops
from rdkd.io.config import load_config
from rdkd.teacher.build import build_teacher

SIZE = (64, 96)


def by_hand(parts, run):
    """Operations of each convolution of a forward pass, in its order."""
    found = []

    def add(conv, _, out):
        kernel = conv.weight[0].numel()  # K * K * C_in
        found.append(2 * kernel * out.numel())

    hooks = [module.register_forward_hook(add) for part in parts
             for module in part.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        run(torch.zeros(1, 3, *SIZE))
    for hook in hooks:
        hook.remove()
    return found


def test_convolutions_are_counted_as_by_hand(rdkd_cfg, teacher_files):
    teacher = build_teacher(*map(str, teacher_files))
    student = MODELS.build(rdkd_cfg.model.architecture)
    step = flops.step_of(rdkd_cfg, SIZE)
    # The teacher's head does not run.
    assert step.teacher == sum(by_hand([teacher.backbone, teacher.neck],
                                       teacher.extract_feat)) > 0
    convolutions = by_hand([student], student)
    assert step.forward == sum(convolutions) > 0
    # For input and weights each; images need no gradient.
    assert step.backward == 2 * step.forward - convolutions[0]


def test_attention_is_counted_as_by_hand(rdkd_cfg):
    """Exact position attention of each level against a single key."""
    steps = []
    for kv_size in (None, 1):
        cfg = rdkd_cfg.copy()
        cfg.model.distiller.update(kv_size=kv_size, reduction=1)
        steps.append(flops.step_of(cfg, SIZE))
    exact, single = steps
    assert exact._replace(distiller=0) == single._replace(distiller=0)
    difference = 0
    for cells in (96, 24, 6, 2, 1):  # of strides 8 to 128
        # 2 products forward and 5 backward, 8 channels wide; key and value
        # are 1x1 convolutions of 64 channels to 8, forward and 2 backward.
        difference += 7 * 2 * cells * (cells - 1) * 8
        difference += 2 * 3 * 2 * (cells - 1) * 64 * 8
    assert exact.distiller - single.distiller == difference


def test_a_plain_detector_has_the_student_s_step(rdkd_cfg, student_cfg):
    plain = flops.step_of(student_cfg, SIZE)
    assert plain == flops.step_of(rdkd_cfg, SIZE)._replace(
        teacher=0, distiller=0)


def test_hours_are_operations_over_speed(rdkd_cfg, tmp_path):
    config = write(rdkd_cfg, tmp_path / 'rdkd.py')
    flags = ['--size', *SIZE, '--tflops', 1e-6, '--utilisation', 0.5]
    step = flops.step_of(rdkd_cfg, SIZE)
    said = tool('flops.py', config, *flags)
    assert '8 images, 2 epochs' in said

    def row(name):
        line, = (line for line in said.splitlines() if f'│ {name} ' in line)
        return [float(n) for n in re.findall(r'\d+\.\d', line)]

    # 2 epochs of 8 images at half of 1 MFLOP/s.
    whole = step.student + step.teacher + step.distiller
    for name, operations in ('baseline', step.student), (
            'distilled', whole):
        one = operations * 16 / 0.5e6 / 3600
        assert row(name) == pytest.approx([one, one / 2, one / 8], abs=0.051)
    assert row('teacher, forward')[1] == pytest.approx(
        100 * step.teacher / step.student, abs=0.051)


@pytest.mark.parametrize('name, images', [
    ('configs/rdkd_fcos_r101_r50.py', 117266),
    ('configs/fcos_r101_flir.py', 8862)])
def test_images_are_known_without_the_data(name, images):
    assert flops.images_of(load_config(str(ROOT / name))) == images


@pytest.mark.parametrize('flags, named', [
    (['configs/rdkd_retinanet_mini.py', '--utilisation', '1.1'], 'at most 1'),
    (['configs/rdkd_retinanet_mini.py', '--size', '0', '9'],
     '0 is not a whole number'),
    (['configs/none.py'], 'configs/none.py')])
def test_bad_arguments_are_one_message(flags, named, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as end:
        main.main('flops', flags)
    assert named in f'{end.value.code}{capsys.readouterr().err}'
