"""The comparison of methods: what it trains, keeps and reports."""
import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path

import pytest
from test_tools import tool

from rdkd.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
import compare  # noqa: E402


@pytest.fixture
def own_data(mini_data, tmp_path):
    """Data under a name of this test's own; its runs are removed after."""
    root = tmp_path / f'own{os.getpid()}'
    shutil.copytree(mini_data, root)
    yield root
    for run in (ROOT / 'work_dirs/compare').glob(f'{root.name}_*'):
        shutil.rmtree(run)


def test_methods_are_trained_once_and_compared(own_data):
    flags = ['--data', own_data, '--epochs', 1, '--size', 64, '--seeds', 3]
    tool('compare.py', *flags, '--methods', 'none')
    run = ROOT / f'work_dirs/compare/{own_data.name}_retinanet_epochs1_size64'
    trained = [run / 'teacher/epoch_4.pth', run / 'none_seed3/epoch_1.pth']
    before = [file.stat().st_mtime_ns for file in trained]
    said = tool('compare.py', *flags, '--methods', 'none,fgd')
    assert [file.stat().st_mtime_ns for file in trained] == before
    assert said.count('trained already') == 2
    found = json.loads((run / 'results.json').read_text())
    assert [(r['method'], r['seed']) for r in found['results']] == [
        ('none', 3), ('fgd', 3)]
    assert all(r['seconds'] > 0 for r in found['results'])
    for result in found['results']:
        scores = json.loads((run / f'{result["method"]}_seed3_results' /
                             'metrics.json').read_text())
        assert result['mAP'] == 100 * scores.get('coco/bbox_mAP', 0)
    assert '| FGD | 1 | 1 |' in (run / 'table.md').read_text()
    assert (run / 'curves.png').stat().st_size > 5000


def test_a_weight_that_diverges_is_recorded_and_not_chosen():
    class Tuned(compare.Comparison):
        def __init__(self):
            self.args = argparse.Namespace(tune=9)

        def train_student(self, method, seed, weight):
            if weight == 5:
                raise InputError('the loss is not finite')
            return dict(method=method, seed=seed, weight=weight, mAP=weight)

    tried = Tuned().tune('pkd')
    assert [r['weight'] for r in tried] == [10, 5, 20]
    assert [r.get('failed') for r in tried] == [
        None, 'the loss is not finite', None]


def runs(method, **values):
    return [dict(dict.fromkeys(compare.METRICS, value), method=method,
                 seed=int(seed[1:]), weight=None, seconds=10.0)
            for seed, value in values.items()]


def test_gains_are_paired_by_seed():
    none = runs('none', s0=30.0, s1=36.0, s2=33.0)
    rdkd = runs('rdkd', s0=33.0, s1=38.0, s2=37.0)
    alone, distilled = compare.summary(none + rdkd, ['none', 'rdkd'])
    assert alone['mAP'] == 33
    assert 'gain' not in alone
    assert distilled['gain'] == 3
    # Gains of 3, 2 and 4: their deviation is 1.
    assert distilled['gain_error'] == pytest.approx(1 / 3**.5)
    assert distilled['mAP_std'] == pytest.approx(statistics.stdev(
        [33, 38, 37]))


def test_a_size_without_boxes_is_no_figure():
    assert compare.percent(-1.0) is None
    row, = compare.summary([dict(run, APs=None) for run in runs(
        'none', s0=30.0, s1=31.0)], ['none'])
    assert row['APs'] is None
    assert compare.cells([row])[1][6] == ''


@pytest.mark.parametrize('method', [m for m in compare.METHODS if m != 'none'])
def test_distillers_take_their_weight(method):
    own = dict(type='RDKDDistiller', loss_weight=12.0, kv_size=16)
    weight = 0.125
    made = compare.distiller(method, own, weight)
    assert str(weight) in str(made)
    assert own['loss_weight'] == 12


@pytest.mark.parametrize('flags, named', [
    (['--methods', 'rdkd,fitnet'], "there is no 'fitnet'"),
    (['--seeds', '0,0'], '--seeds names one twice'),
    (['--seeds', '0,1', '--tune', '1'], '--tune 1 is one of --seeds'),
    (['--epochs', '0'], '--epochs 0 is too small')])
def test_bad_flags_are_one_message(flags, named):
    said = tool('compare.py', *flags, code=2)
    assert named in said
    assert 'Traceback' not in said
