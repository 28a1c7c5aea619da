"""The benchmark measures every method and says so."""
import json

import pytest
import torch
from helpers import tool, write
from torch._subclasses.fake_tensor import FakeTensorMode

from rdkd.experiments.measure import SavedBytes
from rdkd.layers.review import ReviewFusion


@pytest.fixture
def config(rdkd_cfg, tmp_path):
    return write(rdkd_cfg, tmp_path / 'rdkd.py')


def test_every_method_is_measured(config, tmp_path):
    said = tool('benchmark.py', '--config', config, '--size', 64, 96,
                '--batch', 2, '--rounds', 2, '--threads', 1,
                '--json', tmp_path / 'out.json', '--plot',
                tmp_path / 'out.png')
    found = json.loads((tmp_path / 'out.json').read_text())
    assert set(found['teacher']) == {
        'plain', 'norms folded', 'folded and channels-last (fast)',
        'fast, inference_mode', 'fast, bfloat16'}
    assert set(found['seconds']) == {
        'student', 'floor', 'floor with plain teacher', 'rdkd', 'rdkd exact',
        'cwd', 'pkd', 'mgd', 'cwd mmrazor', 'pkd mmrazor', 'mgd mmrazor'}
    for name, times in found['seconds'].items():
        assert len(times) == 2
        assert all(second > 0 for second in times)
        assert f'| {name} |' in said
    costs = found['costs']
    # A teacher's forward pass keeps nothing and is work; its heads are more.
    assert costs['floor']['saved'] == costs['student']['saved']
    assert costs['student']['flops'] < costs['floor']['flops']
    assert costs['floor']['flops'] < costs['rdkd']['flops']
    assert costs['cwd']['flops'] < costs['cwd mmrazor']['flops']
    assert costs['rdkd']['saved'] > costs['student']['saved']
    for stride in (4, 8):
        whole = found['attention'][f'stride {stride}, written out']
        fused = found['attention'][f'stride {stride}, exact']
        assert fused['saved'] < whole['saved']
    assert 'torch 2' in found['setting']
    assert 'threads' in found['setting']
    assert (tmp_path / 'out.png').stat().st_size > 5000


@pytest.mark.parametrize('flags, named', [
    (['--methods', 'rdkd,fitnet'], "there is no 'fitnet'"),
    (['--rounds', '0'], 'must be positive'),
    (['--config', 'configs/none.py'], 'configs/none.py'),
    (['--config', 'configs/fcos_r50_flir.py'], 'has no teacher')])
def test_bad_flags_are_one_message(flags, named):
    said = tool('benchmark.py', *flags,
                code=1 if flags[0] == '--config' else 2)
    assert named in said
    assert 'Traceback' not in said


def test_the_config_can_be_overridden(config, tmp_path):
    saved = []
    for i, review in enumerate(('True', 'False')):
        file = tmp_path / f'{i}.json'
        tool('benchmark.py', '--config', config, '--size', 64, 96, '--rounds',
             1, '--methods', 'rdkd', '--no-attention', '--json', file,
             '--cfg-options', f'model.distiller.review={review}')
        saved.append(json.loads(file.read_text())['costs']['rdkd']['saved'])
    assert saved[0] > saved[1]


def test_results_are_not_overwritten(tmp_path):
    file = tmp_path / 'mine.json'
    file.write_text('{}')
    assert 'mine.json exists' in tool('benchmark.py', '--json', file, code=2)
    assert file.read_text() == '{}'


def test_what_rdkd_saves_grows_with_the_area_and_not_faster():
    """Shapes of 800x1344 and twice that, without memory for them."""
    kept = []
    for width in (1344, 2688):
        with FakeTensorMode():
            levels = [torch.empty(1, 256, 800 // s, width // s,
                                  requires_grad=True)
                      for s in (4, 8, 16, 32)]
            fusion = ReviewFusion([256] * 4)
            with SavedBytes([*levels, *fusion.parameters()]) as saved:
                fusion(levels)
        kept.append(saved.bytes())
    assert kept[1] < 2.1 * kept[0]
