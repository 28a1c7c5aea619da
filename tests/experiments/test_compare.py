"""The comparison of methods: what it trains, keeps and reports."""
import argparse
import json
import os
import re
import shutil
import sys

import pytest
from browser import check_page
from helpers import ROOT, tool

sys.path.insert(0, str(ROOT / 'tools'))
import compare
from phases import TrainingStopped


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
    said = tool('compare.py', *flags, '--methods', 'none,none+inherit,review')
    assert [file.stat().st_mtime_ns for file in trained] == before
    assert said.count('trained already') == 2
    assert '1 of 3: student alone, seed 3: trained already' in said
    assert re.search(r'3 of 3 \(about \d+ min left\): review only', said)
    found = json.loads((run / 'report/results.json').read_text())
    assert [(r['method'], r['seed']) for r in found['runs']] == [
        ('none', 3), ('none+inherit', 3), ('review', 3)]
    # Necks are correlated, and what was trained to be like the teacher's.
    assert all(-1 <= r['correlation'] <= 1 for r in found['runs'])
    assert [r['reviewed'] is None for r in found['runs']] == [
        True, True, False]
    assert found['runs'][2]['reviewed'] != found['runs'][2]['correlation']
    assert all(r['seconds'] > 0 for r in found['runs'])
    for result in found['runs']:
        scores = json.loads((run / f'{result["phase"]}_results' /
                             'metrics.json').read_text())
        assert result['mAP'] == 100 * scores.get('coco/bbox_mAP', 0)
    assert '| review only | 4 | 1 |' in (run / 'report/table.md').read_text()
    student = run / 'none_inherit_seed3.log'
    assert 'the student starts with the teacher' in student.read_text()
    # The curves, four changed images, two of attention.
    check_page(run / 'report/index.html', pictures=7)


def test_a_weight_that_diverges_is_recorded_and_not_chosen():
    class Tuned(compare.Comparison):
        def __init__(self):
            self.args = argparse.Namespace(
                tune=9, detector='retinanet',
                methods=['pkd', 'pkd+inherit', 'none'])

        def train_student(self, method, seed, weight):
            if weight == 5:
                raise TrainingStopped('the loss is not finite')
            better = -1 if method == 'pkd+inherit' else 1
            return dict(method=method, seed=seed, weight=weight,
                        mAP=better * weight)

    comparison = Tuned()
    tried = comparison.tune('pkd') + comparison.tune('pkd+inherit')
    assert [r['weight'] for r in tried] == [10, 5, 20] * 2
    assert [r.get('failed') for r in tried] == [
        None, 'the loss is not finite', None] * 2
    # With an extra another weight may be the best.
    assert comparison.best_weights(tried) == {
        'pkd': 20, 'pkd+inherit': 10, 'none': None}


@pytest.mark.parametrize('flags, named', [
    (['--methods', 'rdkd,fitnet'], "there is no 'fitnet'"),
    (['--methods', 'none+more'], 'there is no +more'),
    (['--seeds', '0,0'], '--seeds names one twice'),
    (['--seeds', '0,1', '--tune', '1'], '--tune 1 is one of --seeds'),
    (['--epochs', '0'], '--epochs 0 is too small')])
def test_bad_flags_are_one_message(flags, named):
    said = tool('compare.py', *flags, code=2)
    assert named in said
    assert 'Traceback' not in said
