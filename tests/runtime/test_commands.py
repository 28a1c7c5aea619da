"""Children: what is told of one that fails, and that none is left."""
import os
import signal
import sys

import pytest

from rdkd.runtime import commands
from rdkd.runtime.commands import ChildFailed, TrainingStopped, run_command


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Runs Python code as if it were a command; its log."""
    def run(code, **options):
        monkeypatch.setattr(commands, 'command', lambda *_: [
            sys.executable, '-c', code])
        run_command('train', about='the student', log=log, **options)

    log = run.log = tmp_path / 'student.log'
    return run


def test_a_failure_names_the_log_and_shows_its_end(child):
    child.log.write_text('of an earlier start\n')
    with pytest.raises(ChildFailed) as error:
        child('import sys\nfor i in range(20): print("line", i)\nsys.exit(1)')
    assert str(error.value).splitlines() == [
        'rdkd train (the student) failed: exit code 1',
        f'The log is {child.log}. Its last lines:',
        *(f'line {i}' for i in range(5, 20))]
    assert child.log.read_text().startswith('of an earlier start\nline 0\n')
    with pytest.raises(ChildFailed) as error:
        child('raise SystemExit(1)')
    assert str(error.value).endswith(f'The log is {child.log}.')


@pytest.mark.parametrize('code, word, kind', [
    (1, 'error', ChildFailed), (3, 'stopped', TrainingStopped)])
def test_what_it_told_comes_first_and_once(child, code, word, kind):
    with pytest.raises(ChildFailed) as error:
        child(f'import sys\nprint("loading")\n'
              f'print("{word}: no such file")\nsys.exit({code})',
              told=lambda: 'no such file')
    assert type(error.value) is kind
    assert error.value.why == 'no such file'
    assert str(error.value).splitlines() == [
        'rdkd train (the student) failed: no such file',
        f'The log is {child.log}. Its last lines:', 'loading']


@pytest.mark.parametrize('name, told', [
    ('SIGKILL', 'killed by signal 9; most often the machine ran out of '
     'memory\n'), ('SIGSEGV', 'killed by signal 11\n')])
def test_a_killed_child_says_so(child, name, told):
    with pytest.raises(ChildFailed, match=told):
        child(f'import os, signal\nos.kill(os.getpid(), signal.{name})')


def test_an_interruption_ends_the_child(child):
    def interrupt():
        seen.append(int(child.log.read_text() or 0))
        if seen[-1]:
            raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt):
        child('import os, time\nprint(os.getpid(), flush=True)\n'
              'time.sleep(60)', watch=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(seen[-1], signal.SIGTERM)


def test_threads_of_children_wait_as_the_user_says(monkeypatch):
    for name in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('OMP_NUM_THREADS', '3')
    assert commands.environment()['GOMP_SPINCOUNT'] == '10000'
    assert commands.environment()['OMP_NUM_THREADS'] == '3'
    monkeypatch.setenv('GOMP_SPINCOUNT', '7')
    assert commands.environment()['GOMP_SPINCOUNT'] == '7'
    monkeypatch.delenv('GOMP_SPINCOUNT')
    # It would be overruled.
    monkeypatch.setenv('OMP_WAIT_POLICY', 'ACTIVE')
    assert 'GOMP_SPINCOUNT' not in commands.environment()
