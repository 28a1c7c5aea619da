"""What flags accept: refused before anything is read, trained or written."""
import argparse

import pytest
from helpers import write

from rdkd.arguments import SEEDS, Range
from rdkd.cli import main
from rdkd.cli.common import whole


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for command in main.COMMANDS:
        monkeypatch.setattr(main.module_of(command), 'run',
                            lambda args: pytest.fail('it started'))


@pytest.mark.parametrize('words, named', [
    ('quickstart --seed -1', '-1 is not a whole number from 0 to 4294967295'),
    ('quickstart --seed 99999999999', 'argument --seed: 99999999999'),
    ('quickstart --seed 1.5', '1.5 is not a whole number'),
    ('quickstart --epochs 0', 'argument --epochs: 0'),
    ('compare --seeds=-1,0', 'argument --seeds: -1'),
    ('compare --seeds 0,99999999999', 'argument --seeds: 99999999999'),
    ('compare --seeds 0,,1', 'argument --seeds:  is not'),
    ('compare --tune -1', 'argument --tune: -1'),
    ('synthesize out --train -3', '-3 is not a whole number of at least 1'),
    ('synthesize out --train 0', 'argument --train: 0'),
    ('synthesize out --val 0', 'argument --val: 0'),
    ('synthesize out --seed -1', '-1 is not a whole number of at least 0'),
    ('benchmark --threads 0', 'argument --threads: 0'),
    ('benchmark --boxes -1', 'argument --boxes: -1'),
    ('flops a.py --size 0 9', 'argument --size: 0'),
    ('visualize compare a.py b.pth c.pth --count 0', 'argument --count: 0'),
    ('train a.py --cfg-options foo', 'foo is not KEY=VALUE'),
    ('train a.py --cfg-options a=1 =3', '=3 is not KEY=VALUE'),
    ('test a.py b.pth --cfg-options a=[1,(2]', 'Imbalanced brackets'),
    ('check a.py --cfg-options', 'expected at least one argument')])
def test_what_a_flag_does_not_take_is_a_usage_message(words, named, capsys,
                                                      tmp_path):
    with pytest.raises(SystemExit) as end:
        main.main(argv=words.split())
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith('usage: rdkd ')
    assert named in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('command', main.COMMANDS)
def test_every_flag_with_a_whole_number_has_a_range(command):
    parsers, unbounded = [main.parser_of(command)], []
    for parser in parsers:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers.extend(action.choices.values())
            if action.type is int:
                unbounded.append(action.dest)
    assert set(unbounded) <= {'local_rank'}  # which torch passes


def test_whole_numbers_are_read_at_both_ends():
    assert [whole(SEEDS)(str(seed)) for seed in (0, 2**32 - 1)] == [
        0, 2**32 - 1]
    assert whole(Range(64))('64') == 64
    with pytest.raises(argparse.ArgumentTypeError):
        whole(Range(64))('63')


def test_distill_checks_before_it_tells_what_it_will_do(
        student_cfg, teacher_files, tmp_path, monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    config = write(student_cfg, tmp_path / 'a.py')
    with pytest.raises(SystemExit, match="loss_weight is 'abc'"):
        main.main('distill', [
            str(config), *map(str, teacher_files), '--cfg-options',
            'model.distiller.loss_weight=abc'])
    assert 'training' not in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.parametrize('option, named', [
    ('model.distiller.review=off', "review is 'off'; it must be True or"),
    ('model.distiller.loss_weight=abc', "loss_weight is 'abc'"),
    ('model.distiller=None', 'model: distiller is None'),
    ('model.response=ResponseLoss', "model: response is 'ResponseLoss'"),
    ('model.architecture=foo', "model: architecture is 'foo'"),
    ('modl.distiller.loss_weight=3', "did you mean 'model'"),
    ('model=foo', 'it is no config of a detector'),
    ('train_cfg.max_epochs=0', 'train_cfg: max_epochs is 0'),
    ('val_dataloader.num_workers=-1', 'num_workers is -1'),
    ('randomness.seed=-1', 'randomness: seed is -1'),
    ('train_dataloader.dataset.pipeline.99.scale=3', 'no such place')])
def test_what_an_option_may_not_say_is_one_message(option, named, rdkd_cfg,
                                                   tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    config = write(rdkd_cfg, tmp_path / 'a.py')
    with pytest.raises(SystemExit) as end:
        main.main('train', [str(config), '--work-dir', 'run',
                            '--cfg-options', option])
    assert str(end.value).startswith('error: ')
    assert named in str(end.value)
    assert list(tmp_path.iterdir()) == [config]
