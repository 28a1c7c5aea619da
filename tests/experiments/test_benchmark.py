"""The benchmark measures every method and says so."""
import json

import pytest
import torch
from helpers import ROOT, tool, write
from torch._subclasses.fake_tensor import FakeTensorMode

from rdkd.cli import main
from rdkd.experiments.benchmark_model import Batch, build_bench
from rdkd.experiments.benchmark_rounds import ratio, take_turns
from rdkd.experiments.benchmark_steps import method_of
from rdkd.experiments.measure import SavedBytes
from rdkd.layers.review import ReviewFusion


@pytest.fixture
def config(rdkd_cfg, tmp_path):
    return write(rdkd_cfg, tmp_path / 'rdkd.py')


@pytest.mark.slow
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
    for name, cost in costs.items():
        assert cost.keys() == {'saved', 'flops', 'peak'}, name
    assert found['attention']['stride 16, whole fusion'].keys() == {
        'seconds', 'saved', 'peak'}
    assert len(found['fusion']) == 2
    assert 'torch 2' in found['setting']
    assert 'threads' in found['setting']
    assert (tmp_path / 'out.png').stat().st_size > 5000


@pytest.mark.parametrize('flags, named', [
    (['--methods', 'rdkd,fitnet'], "there is no 'fitnet'"),
    (['--rounds', '0'], '0 is not a whole number of at least 1'),
    (['--config', 'configs/none.py'], 'configs/none.py'),
    (['--config', 'configs/fcos_r50_flir.py'], 'has no teacher')])
def test_bad_flags_are_one_message(flags, named, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as end:
        main.main('benchmark', flags)
    assert named in f'{end.value.code}{capsys.readouterr().err}'


@pytest.mark.slow
def test_the_config_can_be_overridden(config, tmp_path):
    saved = []
    for i, review in enumerate(('True', 'False')):
        file = tmp_path / f'{i}.json'
        tool('benchmark.py', '--config', config, '--size', 64, 96, '--rounds',
             1, '--methods', 'rdkd', '--no-attention', '--json', file,
             '--cfg-options', f'model.distiller.review={review}')
        saved.append(json.loads(file.read_text())['costs']['rdkd']['saved'])
    assert saved[0] > saved[1]


def test_results_are_not_overwritten(tmp_path, capsys):
    file = tmp_path / 'mine.json'
    file.write_text('{}')
    with pytest.raises(SystemExit):
        main.main('benchmark', ['--json', str(file)])
    assert 'mine.json exists' in capsys.readouterr().err
    assert file.read_text() == '{}'


def test_what_rdkd_saves_grows_with_the_area_and_not_faster():
    """Shapes of 800x1344 and twice that, without memory for them."""
    kept = []
    for width in (1344, 2688):
        with FakeTensorMode():
            levels = [torch.empty(1, 256, 800 // s, width // s,
                                  requires_grad=True)
                      for s in (4, 8, 16, 32)]
            fusion = ReviewFusion([256] * 4, attention=True, kv_size=16,
                                  reduction=4)
            with SavedBytes([*levels, *fusion.parameters()]) as saved:
                fusion(levels)
        kept.append(saved.bytes())
    assert kept[1] < 2.1 * kept[0]


def test_methods_share_student_and_teacher_and_leave_the_config_s(rdkd_cfg):
    distiller = rdkd_cfg.model.distiller.to_dict()
    bench = build_bench(rdkd_cfg, Batch((64, 96)))
    before = bench.algorithm.distiller
    weights = {id(p) for p in bench.algorithm.student.parameters()}
    totals = {}
    for name in ('student', 'rdkd', 'mgd', 'mgd mmrazor'):
        method = method_of(bench, distiller, name)
        losses = method.losses()
        totals[name] = {key for key in losses if key.startswith('distill.')}
        assert not weights & {id(p) for p in method.learning}
    assert bench.algorithm.distiller is before
    assert method_of(bench, distiller, 'rdkd').learning == list(
        before.parameters())
    assert not totals['student']
    assert totals['mgd'] == totals['mgd mmrazor'] == {
        f'distill.loss_s{stride}' for stride in (8, 16, 32, 64, 128)}
    assert 'distill.loss_fg_s8' in totals['rdkd']


def test_mmrazors_rows_have_nothing_but_its_loss(rdkd_cfg):
    """MMRazor knows no loss between heads, the other rows have the config's.
    """
    rdkd_cfg.model.response = dict(type='ResponseLoss')
    distiller = rdkd_cfg.model.distiller.to_dict()
    bench = build_bench(rdkd_cfg, Batch((64, 96)))
    heads = {name: any(key.startswith('response.') for key in
                       method_of(bench, distiller, name).losses())
             for name in ('rdkd', 'rdkd exact', 'cwd', 'cwd mmrazor')}
    assert heads == {'rdkd': True, 'rdkd exact': True, 'cwd': True,
                     'cwd mmrazor': False}


def test_a_round_for_nothing_comes_first_and_names_take_turns():
    calls = []
    works = {name: lambda name=name: calls.append(name) for name in 'ab'}
    times = take_turns(works, 2, torch.device('cpu'), 'works')
    assert calls == ['a', 'b'] * 3
    assert {name: len(each) for name, each in times.items()} == dict(a=2, b=2)


def test_an_interruption_keeps_the_whole_rounds():
    calls = []

    def work():
        calls.append(None)
        if len(calls) == 6:  # the second of the third round
            raise KeyboardInterrupt

    times = take_turns(dict(a=work, b=work), 5, torch.device('cpu'), 'works')
    assert {name: len(each) for name, each in times.items()} == dict(a=1, b=1)


def test_a_ratio_is_the_median_of_the_rounds():
    times = dict(a=[2., 6., 100.], b=[1., 2., 10.])
    assert ratio(times, 'a', 'b').startswith('3.000 ± ')
    assert ratio(times, 'a', 'none') == '-'
