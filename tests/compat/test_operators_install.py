"""Detectors where MMCV has no compiled operators, in fresh processes."""
import json
import os
import subprocess
import sys
import textwrap

import pytest
from helpers import LIMIT, ROOT
from operators import needs_compiled

HIDE = '''
import importlib.abc, sys
class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == 'mmcv._ext':
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Hidden())
'''

WORK = '''
import json, sys
import torch
import rdkd, mmdet, mmcv._ext
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData
torch.set_num_threads(1)
init_default_scope('mmdet')
torch.manual_seed(0)
model = MODELS.build(Config.fromfile(sys.argv[1]).model)
model.init_weights()
images = torch.randn(2, 3, 96, 128)
samples = []
for _ in range(2):
    sample = DetDataSample(metainfo=dict(
        img_shape=(96, 128), ori_shape=(96, 128), pad_shape=(96, 128),
        batch_input_shape=(96, 128), scale_factor=(1.0, 1.0)))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[8.0, 8, 60, 50], [30, 20, 120, 90]]),
        labels=torch.tensor([0, 1]))
    samples.append(sample)
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
history = []
for _ in range(2):
    total, losses = model.parse_losses(model(images, samples, mode='loss'))
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    history.append({name: float(value) for name, value in losses.items()})
model.eval()
with torch.no_grad():
    found = model(images, samples, mode='predict')
print('RESULT', json.dumps([type(mmcv._ext).__name__, history,
                            [len(s.pred_instances) for s in found]]))
'''


def python(code, *arguments):
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code), *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=LIMIT,
        cwd=ROOT, env=dict(os.environ, OMP_NUM_THREADS='1',
                           PYTHONPATH=str(ROOT)))
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def result(output):
    return json.loads(output.split('RESULT ')[1])


@needs_compiled
@pytest.mark.slow
@pytest.mark.parametrize('name', ['retinanet', 'faster_rcnn'])
def test_detectors_train_and_predict_as_with_compiled_operators(name):
    config = ROOT / f'configs/{name}_mini_student.py'
    kind, expected, boxes = result(python(WORK, config))
    assert kind == 'module'
    kind, history, found = result(python(HIDE + WORK, config))
    assert kind == 'Operators'
    assert found == boxes
    for step, reference in zip(history, expected, strict=True):
        assert step == pytest.approx(reference, rel=1e-4, abs=1e-4)


@needs_compiled
def test_compiled_operators_are_left_alone():
    python('''
        import sys
        from rdkd.compat import operators
        assert not operators.install()
        assert sys.modules['mmcv._ext'].__file__
        ''')


def test_a_torchvision_of_another_torch_is_said_once(tmp_path):
    package = tmp_path / 'torchvision'
    package.mkdir()
    (package / '__init__.py').write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')")
    python(f'''
        import sys, warnings
        sys.path.insert(0, {str(tmp_path)!r})
        import torch
        from rdkd.compat.operators.vision import vision
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter('always')
            assert vision() is None and vision() is None
        said = [str(one.message) for one in said]
        assert len([m for m in said if 'torchvision::nms' in m]) == 1, said
        ''')
