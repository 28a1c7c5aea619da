"""The comparison of methods: what it trains, keeps and reports."""
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser import check_page
from helpers import LIMIT, ROOT

from rdkd.cli import main
from rdkd.data.image_memory import FILE
from rdkd.errors import InputError
from rdkd.experiments.comparison import (
    ComparisonPlan,
    best_weights,
    train_all,
    tune,
)
from rdkd.experiments.comparison_report import shown_runs
from rdkd.experiments.setup import Setup
from rdkd.experiments.students import Countdown, percent
from rdkd.report.runs import FailedRun, Run
from rdkd.runtime.commands import TrainingStopped


def compare(folder, *words):
    """Run the command in a folder; what it says."""
    done = subprocess.run(
        [sys.executable, ROOT / 'tools/compare.py', *map(str, words)],
        cwd=folder, capture_output=True, text=True, check=False,
        timeout=LIMIT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def student(method, seed, weight, score):
    """A run that was trained, as far as it is chosen by."""
    return Run(method, method.upper(), seed, weight, f'{method}_seed',
                      [], 1.0, {}, 0.0, None, dict(mAP=score))


@pytest.mark.slow
def test_methods_are_trained_once_and_compared(mini_data, tmp_path):
    shutil.copytree(mini_data, tmp_path / 'own')
    flags = ['--data', 'own', '--epochs', 1, '--size', 64, '--seeds', 3]
    compare(tmp_path, *flags, '--methods', 'none')
    run = tmp_path / 'work_dirs/compare/own_retinanet_epochs1_size64'
    assert [f.parent for f in run.rglob(FILE)] == [run]
    trained = [run / 'teacher/epoch_4.pth', run / 'none_seed3/epoch_1.pth']
    before = [file.stat().st_mtime_ns for file in trained]
    said = compare(tmp_path, *flags, '--methods', 'none,none+inherit,review')
    assert [file.stat().st_mtime_ns for file in trained] == before
    assert said.count('trained already') == 2
    assert '1 of 3: baseline, seed 3: trained already' in said
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
    inherited = (run / 'none_inherit_seed3.log').read_text()
    assert 'the student starts with the teacher' in inherited
    assert found['command'].endswith(
        'python tools/compare.py --data own --epochs 1 --size 64 --seeds 3 '
        '--methods none,none+inherit,review')
    # The keys of the results in docs/, which are compared with.
    published = json.loads(
        (ROOT / 'docs/results/mini_retinanet.json').read_text())
    assert found.keys() == published.keys()
    for part in ('runs', 'summary'):
        assert found[part][-1].keys() == published[part][-1].keys(), part
    # Nothing but the work dirs is written where it was called.
    assert {f.name for f in tmp_path.iterdir()} == {'own', 'work_dirs'}
    # The curves, four changed images, two of attention.
    check_page(run / 'report/index.html', pictures=7)


def stopped():
    """What a training raises whose loss diverges."""
    return TrainingStopped('rdkd train', 'the loss is not finite',
                           Path('the.log'), 'its end')


def test_a_weight_that_diverges_is_recorded_and_not_chosen():
    def train(method, seed, weight):
        if weight == 5:
            raise stopped()
        better = -1 if method == 'pkd+inherit' else 1
        return student(method, seed, weight, better * weight)

    plan = ComparisonPlan(Setup(), ('pkd', 'pkd+inherit', 'none'), (0,), 9)
    weights = {'pkd': (10, 5, 20), 'pkd+inherit': (10, 5, 20), 'none': ()}
    tried = tune(plan, weights, train)
    assert [(run.method, run.seed, run.weight) for run in tried] == [
        (method, 9, weight) for method in ('pkd', 'pkd+inherit')
        for weight in (10, 5, 20)]
    assert tried[1].to_json() == dict(
        method='pkd', title='PKD', seed=9, weight=5,
        failed='the loss is not finite')
    # With an extra another weight may be the best.
    assert best_weights(weights, tried) == {
        'pkd': 20, 'pkd+inherit': 10, 'none': None}


def test_without_tuning_weights_are_the_defaults():
    plan = ComparisonPlan(Setup(), ('pkd', ), (0, ))
    assert tune(plan, {'pkd': (10, 5)}, train=None) == []
    assert best_weights({'pkd': (10, 5), 'none': ()}, []) == {
        'pkd': 10, 'none': None}
    failed = FailedRun('pkd', 'PKD', 9, 5, 'not finite')
    assert best_weights({'pkd': (10, 5)}, [failed]) == {'pkd': 10}


def test_a_seed_that_diverges_is_left_out():
    plan = ComparisonPlan(Setup(), ('none', 'pkd'), (0, 1))

    def train(method, seed, weight):
        if (method, seed) == ('pkd', 0):
            raise stopped()
        return student(method, seed, weight, 1.0)

    runs, left_out = train_all(plan, {'none': None, 'pkd': 10}, train)
    assert [(run.method, run.seed, run.weight) for run in runs] == [
        ('none', 0, None), ('none', 1, None), ('pkd', 1, 10)]
    assert [(run.method, run.seed) for run in left_out] == [('pkd', 0)]
    with pytest.raises(InputError, match='every training stopped'):
        train_all(ComparisonPlan(Setup(), ('pkd', ), (0, )), {'pkd': 10},
                  train)


def test_pictures_are_of_the_first_seed_that_has_both():
    runs = [student('rdkd', 0, 3, 2.0), student('none', 1, None, 1.0),
            student('rdkd', 1, 3, 2.0), student('plain', 1, 4, 3.0)]
    assert [(run.method, run.seed) for run in shown_runs(runs)] == [
        ('none', 1), ('plain', 1), ('rdkd', 1)]
    assert shown_runs(runs[:1]) == shown_runs(runs[1:2]) == []


def test_the_countdown_knows_how_long_the_rest_takes():
    countdown = Countdown(3)
    assert countdown.heading() == '1 of 3'
    countdown.minutes += [4.0, 6.0]
    assert countdown.heading() == '2 of 3 (about 10 min left)'


def test_no_box_to_count_is_no_score():
    assert percent(-1) is None
    assert percent(0.25) == 25


@pytest.mark.parametrize('flags, named', [
    (['--methods', 'rdkd,fitnet'], "there is no 'fitnet'"),
    (['--methods', 'none+more'], 'there is no +more'),
    (['--seeds', '0,0'], '--seeds names one twice'),
    (['--seeds', '0,1', '--tune', '1'], '--tune 1 is one of --seeds'),
    (['--epochs', '0'], '--epochs: 0 is not a whole number of at least 1'),
    (['--size', '63'], '--size: 63 is not a whole number of at least 64')])
def test_bad_flags_are_one_message(flags, named, capsys):
    with pytest.raises(SystemExit) as end:
        main.main('compare', flags)
    assert end.value.code == 2
    assert named in capsys.readouterr().err
