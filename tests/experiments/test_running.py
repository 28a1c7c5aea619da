"""Trainings as processes: what they tell the one that started them."""
import json
import re
import subprocess
import sys
import time

import pytest
from helpers import LIMIT
from mmengine.config import Config

from rdkd.errors import InputError
from rdkd.experiments.phase import Phase
from rdkd.experiments.running import (
    is_trained,
    lock_run,
    train,
    train_once,
)
from rdkd.io import terminal
from rdkd.runtime.commands import TrainingStopped
from rdkd.runtime.status import (
    STOPPED,
    Status,
    StatusHook,
    outcome_kept,
    read_status,
    write_status,
)


@pytest.fixture
def phase(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Phase('student', 'the student', tmp_path)


def test_a_loss_that_is_not_finite_is_reported_with_its_message(
        phase, rdkd_cfg):
    rdkd_cfg.model.distiller.loss_weight = 1e39
    phase.write(rdkd_cfg)
    with pytest.raises(TrainingStopped, match=r'distill\.loss_fg_s8'):
        train(phase)
    assert read_status(phase.status).outcome == 'stopped'
    assert 'stopped: ' in phase.log.read_text()
    assert not is_trained(phase)


def test_what_a_training_cannot_use_is_told_in_its_words(phase, student_cfg):
    student_cfg.load_from = 'nowhere.pth'
    phase.write(student_cfg)
    with pytest.raises(InputError, match=r'nowhere\.pth') as error:
        train(phase)
    assert not isinstance(error.value, TrainingStopped)
    assert f'error: {error.value.why}\n' in phase.log.read_text()
    assert str(error.value).count(error.value.why) == 1
    assert f'The log is {phase.log}' in str(error.value)


def test_a_training_that_breaks_shows_the_end_of_its_log(phase, student_cfg):
    student_cfg.model.backbone.depth = 19
    phase.write(student_cfg)
    with pytest.raises(InputError, match='the student') as error:
        train(phase)
    assert 'Traceback' in phase.log.read_text()
    assert f'The log is {phase.log}. Its last lines:\n' in str(error.value)
    assert 'invalid depth 19' in str(error.value)


def test_without_a_terminal_lines_say_how_far_a_training_is(
        phase, student_cfg, monkeypatch, capsys):
    phase.write(student_cfg)

    def stand_in(*arguments, watch, **others):
        for iteration in range(1, 4):
            write_status(phase.status, Status(epochs=2, iteration=iteration,
                                              iterations=4))
            watch()
            time.sleep(.2)

    monkeypatch.setattr(terminal, 'INTERVAL', .05)
    monkeypatch.setattr('rdkd.experiments.running.run_command', stand_in)
    train(phase)
    said = capsys.readouterr().out
    assert re.search('^  the student, epoch 1 of 2, iteration [23] of 4: '
                     r'(25|38)%, 0:00:0\d so far, about 0:00:0\d left$', said,
                     re.M), said
    assert re.search(r'^  the student: done in 0:00:0\d$', said, re.M)


def test_a_training_is_done_once(phase, student_cfg, capsys):
    student_cfg.train_cfg.max_epochs = 1
    phase.write(student_cfg)
    assert train_once(phase) > 0
    assert read_status(phase.status).outcome == 'finished'
    assert train_once(phase) is None
    assert 'the student: trained already' in capsys.readouterr().out
    # The hook is this start's alone.
    kept = Config.fromfile(phase.folder / 'student.py')
    assert 'StatusHook' not in [hook.type for hook in kept.custom_hooks]
    # A checkpoint of the last epoch may be there before the run has ended.
    write_status(phase.status, Status())
    assert not is_trained(phase)
    write_status(phase.status, Status('finished'))
    assert is_trained(phase)
    phase.last_checkpoint().unlink()
    assert not is_trained(phase)


def test_two_processes_do_not_share_a_run(tmp_path):
    lock_run(tmp_path / 'run', 'quickstart')
    with pytest.raises(subprocess.CalledProcessError) as error:
        subprocess.run(
            [sys.executable, '-c', 'import fcntl, sys; fcntl.lockf('
             'open(sys.argv[1], "a"), fcntl.LOCK_EX | fcntl.LOCK_NB)',
             tmp_path / 'run/lock'], check=True, timeout=LIMIT,
            capture_output=True)
    assert b'BlockingIOError' in error.value.stderr


def test_a_changed_config_is_refused(phase, student_cfg):
    phase.write(student_cfg)
    phase.write(student_cfg)
    student_cfg.randomness.seed = 1
    with pytest.raises(InputError, match='another version'):
        phase.write(student_cfg)


def test_the_status_says_how_far_a_run_is(tmp_path):
    class Runner:
        epoch, max_epochs, train_dataloader = 1, 5, range(4)

    file = tmp_path / 'status.json'
    assert read_status(file).done == 0
    StatusHook(file).after_train_iter(Runner, batch_idx=1)
    assert json.loads(file.read_text()) == dict(
        outcome='running', message='', epoch=2, epochs=5, iteration=2,
        iterations=4)
    assert read_status(file).done == 1.5


@pytest.mark.parametrize('raised, outcome', [
    (InputError('a message'), 'error'), (OSError('a message'), 'error'),
    (FloatingPointError('a message'), 'stopped')])
def test_the_outcome_is_kept(tmp_path, raised, outcome):
    file = tmp_path / 'status.json'
    with pytest.raises(type(raised)), outcome_kept(file):
        raise raised
    assert read_status(file) == Status(outcome, 'a message')
    with outcome_kept(file):
        assert read_status(file).outcome == 'running'
    assert read_status(file).outcome == 'finished'
    with outcome_kept(None):
        pass


def test_one_process_of_several_writes(tmp_path, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    write_status(tmp_path / 'status.json', Status())
    assert not (tmp_path / 'status.json').exists()


def test_a_stop_has_an_exit_code_of_its_own():
    assert STOPPED not in (0, 1, 2, 130)


@pytest.mark.parametrize('text', [
    '', '{"outc', '[]', 'null', '{"of a later version": 1}'])
def test_a_status_that_cannot_be_read_is_none(tmp_path, text):
    file = tmp_path / 'status.json'
    file.write_text(text)
    assert read_status(file) == Status()
