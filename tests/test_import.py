"""Importing the package with and without OpenMMLab's packages."""
import os
import signal
import subprocess
import sys

import pytest
from helpers import LIMIT, ROOT

HIDE = '''
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {hidden}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Hide())
'''


def python(code):
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True,
        timeout=LIMIT, check=False,
        env=dict(os.environ, PYTHONPATH=str(ROOT)))
    return done.returncode, done.stdout, done.stderr


def test_the_functions_need_torch_alone():
    code, said, error = python(HIDE.format(
        hidden={'mmengine', 'mmcv', 'mmdet', 'mmrazor', 'cv2', 'rich',
                'matplotlib', 'pycocotools'}) + '''
import torch
import rdkd.functional
from rdkd import functional
scales = functional.region_scales(torch.ones(1, 1, 4, 4))
print(functional.region_distance(torch.ones(1, 2, 4, 4),
                                 torch.zeros(1, 2, 4, 4), scales, False))
''')
    assert code == 0, error
    assert 'tensor([[1.]])' in said.replace('1.0000', '1.')


@pytest.mark.parametrize('hidden', ['mmrazor', 'mmdet'])
def test_what_is_missing_is_named(hidden):
    code, _, error = python(HIDE.format(hidden={hidden}) +
                            'import rdkd\nrdkd.distillation_config\n')
    assert code == 1
    warning, raised = error.split('Traceback')
    for text in (warning, raised):
        assert f'rdkd needs {hidden}, which' in text
        assert 'pip install' in text


@pytest.mark.parametrize('name, status', [
    ('torch', -signal.SIGINT), ('mmdet.structures', -signal.SIGINT),
    ('rdkd.runtime.plan', -signal.SIGINT), ('rdkd.experiments.setup', 130)])
def test_an_interruption_before_a_command_runs_is_one_line(name, status):
    """While the imports of a tool, which take seconds, are at a module."""
    code, said, error = python(f'''
import runpy, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_path({str(ROOT / 'tools/quickstart.py')!r}, run_name='__main__')
''')
    assert code == status
    assert said == ''
    assert error.endswith('\ninterrupted.\n')
    assert 'Traceback' not in error


def test_a_broken_installation_is_not_called_missing(tmp_path):
    (tmp_path / 'mmdet').mkdir()
    (tmp_path / 'mmdet/__init__.py').write_text(
        "raise ImportError('libbroken.so: cannot open shared object')\n")
    code, _, error = python(
        f'import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport rdkd\n')
    assert code == 1
    assert 'libbroken.so' in error
    assert 'not installed' not in error


def test_the_package_registers_everything_by_name():
    code, _, error = python('''
import rdkd
from mmengine.registry import HOOKS, MODELS
for name in ('DetectorDistillation', 'RDKDDistiller', 'FGDDistiller',
             'LevelDistiller', 'ResponseLoss', 'ReviewFusion',
             'ChannelAdapter', 'PositionAttention', 'DualAttention',
             'DecoupledPyramidLoss'):
    assert MODELS.get(name), name
for name in ('DeployHook', 'EpochSeedHook', 'TeacherClassesHook'):
    assert HOOKS.get(name), name
''')
    assert code == 0, error
