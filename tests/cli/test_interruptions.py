"""Every command that is interrupted says how to go on."""
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers import LIMIT, ROOT, write

from rdkd.cli import main


@pytest.mark.parametrize('command, words, told', [
    ('quickstart', [], 'Start the same command again'),
    ('compare', [], 'Start the same command again'),
    ('train', ['config.py'], 'with --resume'),
    ('distill', ['student.py', 'teacher.py', 'teacher.pth'],
     'with --resume'),
    ('test', ['config.py', 'model.pth'], 'start the same command again'),
    ('benchmark', [], 'What was printed stands'),
    ('synthesize', ['scenes'], 'start the same command again')])
def test_an_interruption_says_how_to_go_on(command, words, told, monkeypatch,
                                           capsys):
    def terminated(args):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr(main.module_of(command), 'run', terminated)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        main.main(command, words)
    assert end.value.code == 130
    said = capsys.readouterr().err
    assert said.startswith('\ninterrupted. ')
    assert told in said
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_interruption_is_one_whatever_a_library_makes_of_it(
        monkeypatch, capsys):
    def terminated(args):
        try:
            raise KeyboardInterrupt
        except BaseException as error:
            raise SyntaxError('cannot be formatted') from error

    monkeypatch.setattr(main.module_of('train'), 'run', terminated)
    with pytest.raises(SystemExit) as end:
        main.main('train', ['config.py'])
    assert end.value.code == 130
    assert capsys.readouterr().err.startswith('\ninterrupted. ')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_interrupted(number, student_cfg, tmp_path):
    student_cfg.train_cfg.max_epochs = 1000
    config, log = write(student_cfg, tmp_path / 'cfg.py'), tmp_path / 'log'
    with log.open('w') as file:
        process = subprocess.Popen(
            [sys.executable, ROOT / 'tools/train.py', config, '--work-dir',
             tmp_path / 'run'], stdout=file, stderr=subprocess.STDOUT,
            env=dict(os.environ, OMP_NUM_THREADS='1'),
            # As in a terminal: a background shell's jobs ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        until = time.monotonic() + LIMIT
        while ('Epoch(train)' not in log.read_text()
               and process.poll() is None and time.monotonic() < until):
            time.sleep(.1)
        process.send_signal(number)
        assert process.wait(LIMIT) == 130, log.read_text()
    finally:
        process.kill()
    said = log.read_text()
    assert said.endswith('interrupted. Start the same command with --resume '
                         'to go on.\n')
    assert 'Traceback' not in said
