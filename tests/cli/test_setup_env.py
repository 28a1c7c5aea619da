"""What the set-up says when something is missing, that it does no work twice
and keeps the stacks apart.  Making an environment for real is what CI does
before any test."""
import fcntl
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import LIMIT, ROOT

VENV = Path(sys.prefix)
STACKS = ['onedl', 'original']


@pytest.fixture
def setup_env(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    for name in ('setup_steps', 'compile_mmcv', 'setup_env'):
        sys.modules.pop(name, None)
    return importlib.import_module('setup_env')


def stopped(call):
    with pytest.raises(SystemExit) as error:
        call()
    assert '[setup] cannot go on' in str(error.value)
    return str(error.value)


def test_this_machine_is_complete(setup_env):
    setup_env.check_machine()


def test_no_compiler_is_missed_by_compiling_only(setup_env, monkeypatch):
    compiler = setup_env.compile_mmcv
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    setup_env.check_machine()
    assert 'apt-get install g++' in stopped(compiler.check_compiler)


def test_no_headers_are_missed_by_compiling_only(setup_env, monkeypatch):
    compiler = setup_env.compile_mmcv
    monkeypatch.setattr(shutil, 'which', lambda name: name)
    monkeypatch.setattr(compiler.sysconfig, 'get_path',
                        lambda name: '/nowhere')
    setup_env.check_machine()
    assert '/nowhere/Python.h' in stopped(compiler.check_compiler)


def full_disk(monkeypatch, free):
    usage = shutil.disk_usage('/')._replace(free=free)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage)


def test_no_disk(setup_env, monkeypatch):
    full_disk(monkeypatch, 10**9)
    assert '0.9 GB are free' in stopped(setup_env.check_machine)


def test_pip_fails_for_want_of_disk_or_network(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, 'pip', lambda *a, **k: False)
    monkeypatch.setattr(setup_env, 'output', lambda *a: '')
    stack = setup_env.STACKS['onedl']
    install = lambda: setup_env.install_torch(stack, None)  # noqa: E731
    full_disk(monkeypatch, 10**6)
    assert 'full' in stopped(install)
    full_disk(monkeypatch, 10**12)
    assert 'HTTPS_PROXY' in stopped(install)


@pytest.mark.parametrize(('have', 'spec', 'asked'), [
    ('2.13.0', None, None), ('1.13.1', None, 'torch==2.13.0'),
    ('2.13.0', 'torch==2.8.0', 'torch==2.8.0'), ('', None, 'torch==2.13.0')])
def test_a_torch_that_is_too_old_is_replaced(
        setup_env, monkeypatch, have, spec, asked):
    done, stack = [], setup_env.STACKS['onedl']
    monkeypatch.setattr(setup_env, 'pip', lambda *a, **k: not done.append(a))
    monkeypatch.setattr(setup_env, 'torch_version',
                        lambda stack: '2.6.0' if done else have)
    setup_env.install_torch(stack, spec)
    assert done == ([(stack, 'install', asked)] if asked else [])


def test_a_torch_that_is_asked_for_must_fit(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, 'pip', lambda *a, **k: True)
    monkeypatch.setattr(setup_env, 'torch_version', lambda stack: '2.4.1')
    assert '"torch==2.4.1" gave torch 2.4.1; rdkd needs 2.6' in stopped(
        lambda: setup_env.install_torch(setup_env.STACKS['onedl'],
                                        'torch==2.4.1'))


@pytest.mark.parametrize(('works', 'compiled', 'there', 'expected'), [
    (True, False, '', 'nothing'), (True, True, '', 'nothing'),
    (False, True, '2.1.0', 'compiles'), (False, False, '2.1.0', 'nothing'),
    (False, False, '2.0.0', 'lite'), (False, False, '', 'lite')])
def test_compiled_operators_stay_and_are_compiled_when_asked_for(
        setup_env, monkeypatch, works, compiled, there, expected):
    done, stack = [], setup_env.STACKS['onedl']
    monkeypatch.setattr(setup_env, 'run', lambda *a, **k: works)
    monkeypatch.setattr(setup_env, 'output', lambda *a: there)
    monkeypatch.setattr(setup_env, 'remove', lambda *a: done.append(a[1:]))
    monkeypatch.setattr(setup_env, 'pip',
                        lambda *a, **k: not done.append(a[-1]))
    monkeypatch.setattr(setup_env.compile_mmcv, 'install',
                        lambda stack, instead_of: done.append(instead_of))
    setup_env.install_mmcv(stack, compiled)
    assert done == dict(
        nothing=[], compiles=['mmcv-lite'],
        lite=[('onedl-mmcv',), setup_env.LITE_MMCV])[expected]


def test_a_home_that_cannot_be_written_has_no_cache(
        setup_env, monkeypatch, tmp_path):
    steps, asked = sys.modules['setup_steps'], []
    monkeypatch.setattr(steps, 'run', lambda *a, **k: asked.append(a))
    (tmp_path / 'file').touch()
    for home in (tmp_path, tmp_path / 'file'):
        monkeypatch.setattr(steps, 'CACHE', home / '.cache')
        steps.pip(setup_env.STACKS['onedl'], 'install', 'torch')
    assert ['--no-cache-dir' in words for words in asked] == [False, True]


def test_a_long_command_gives_signs_of_life(setup_env, monkeypatch, capsys):
    steps = sys.modules['setup_steps']
    monkeypatch.setattr(steps, 'HEARTBEAT', 0.1)
    assert steps.run(sys.executable, '-c', 'import time; time.sleep(0.5)',
                     what='sleeping')
    assert '[setup] sleeping: 0 s so far' in capsys.readouterr().out


def test_a_second_set_up_waits_for_the_first(tmp_path):
    """In its checkout; a lock that a killed one left behind is no lock."""
    tools = tmp_path / "it's ä checkout" / 'tools'
    tools.mkdir(parents=True)
    for name in ('setup_env.py', 'setup_steps.py', 'compile_mmcv.py'):
        shutil.copy(ROOT / 'tools' / name, tools)
    for name in ('setup.py', 'requirements'):
        os.symlink(ROOT / name, tools.parent / name)
    with open(tools.parent / '.venv', 'w'):
        pass  # no virtual environment: the set-up stops there
    lock = os.open(tools.parent, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    process = subprocess.Popen(
        [sys.executable, tools / 'setup_env.py'], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    assert 'another set-up is at work' in process.stdout.readline()
    assert process.poll() is None
    os.close(lock)
    _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert 'is no virtual environment' in stderr


def test_other_python(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env.sys, 'version_info', (3, 13, 0))
    assert 'Python 3.10 to 3.12' in stopped(setup_env.check_machine)


def test_no_libgl(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, 'pip', lambda *a, **k: True)
    monkeypatch.setattr(setup_env, 'output', lambda *arguments: '2.13.0')
    failed = subprocess.CompletedProcess(
        [], 1, '', 'ImportError: libGL.so.1: cannot open shared object')
    monkeypatch.setattr(setup_env.subprocess, 'run', lambda *a, **k: failed)
    stack = setup_env.STACKS['onedl']
    assert 'libgl1' in stopped(
        lambda: setup_env.install_packages(stack, False))


def test_no_python_at_all(tmp_path):
    """PATH without any Python: the script says which ones would do."""
    (tmp_path / 'bin').mkdir()
    for name in ('bash', 'dirname', 'env'):
        os.symlink(shutil.which(name), tmp_path / 'bin' / name)
    done = subprocess.run(
        ['bash', str(ROOT / 'tools/env.sh')], capture_output=True, text=True,
        env={'PATH': str(tmp_path / 'bin')}, check=False,
        timeout=LIMIT)
    assert done.returncode == 1
    assert 'Python 3.10, 3.11 or 3.12 was not found' in done.stderr


def set_up_here():
    """Whether this environment is of this checkout's tools/env.sh.

    That of another checkout would be set up anew, for this one.
    """
    stamp = VENV / 'rdkd-setup.json'
    return stamp.is_file() and json.loads(
        stamp.read_text()).get('root') == str(ROOT)


@pytest.mark.skipif(not set_up_here(),
                    reason='not in an environment of tools/env.sh')
def test_a_second_run_does_nothing():
    stack = VENV.name.removeprefix('.venv-') if '-' in VENV.name else 'onedl'
    done = subprocess.run(
        ['bash', str(ROOT / 'tools/env.sh'), '--tests', '--stack', stack],
        capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 0
    assert done.stdout == done.stderr == ''


@pytest.fixture
def steps(setup_env, monkeypatch, tmp_path):
    """The steps of a set-up that only notes what it would do, and where."""
    done = []
    for name, stack in setup_env.STACKS.items():
        venv = tmp_path / stack.venv.name
        venv.mkdir()
        monkeypatch.setitem(setup_env.STACKS, name, stack._replace(venv=venv))
    for name in ('make_venv', 'install_torch', 'install_packages',
                 'install_mmcv'):
        monkeypatch.setattr(setup_env, name, lambda stack, *rest, name=name:
                            done.append((name, stack.venv.name)))
    monkeypatch.setattr(setup_env, 'pip', lambda *a, **k: True)
    monkeypatch.setattr(
        setup_env.subprocess, 'run',
        lambda *a, **k: subprocess.CompletedProcess(a, 0, '', ''))
    monkeypatch.setattr(setup_env, 'check_machine', lambda: None)

    def main(*arguments):
        done.clear()
        monkeypatch.setattr(sys, 'argv', ['setup_env.py', *arguments])
        setup_env.main()
        return list(done)

    return main


def test_each_stack_has_its_own_environment(steps):
    """One that is ready says nothing about the other."""
    assert {venv for _, venv in steps()} == {'.venv'}
    original = steps('--stack', 'original')
    assert [step for step, _ in original] == [
        'make_venv', 'install_torch', 'install_packages', 'install_mmcv']
    assert {venv for _, venv in original} == {'.venv-original'}
    assert steps('--stack', 'onedl') == steps('--stack', 'original') == []


def test_each_stack_has_its_own_packages(setup_env):
    files = {name: {file.name for file in setup_env.requirements(stack, True)}
             for name, stack in setup_env.STACKS.items()}
    common = {'build.txt', 'runtime.txt', 'tests.txt', 'docs.txt'}
    assert files == {name: {f'{name}.txt', *common} for name in STACKS}
    for stack in setup_env.STACKS.values():
        assert all(file.is_file() for file in setup_env.requirements(
            stack, True))


def test_a_compiled_mmcv_is_kept_for_its_stack_alone(setup_env, monkeypatch):
    compiler = setup_env.compile_mmcv
    monkeypatch.setattr(compiler, 'output', lambda *a: 'the same torch')
    assert len(set(map(compiler.mmcv_key, setup_env.STACKS.values()))) == 2


@pytest.mark.parametrize(('stack', 'mmcv'), [
    ('onedl', 'onedl-mmcv'), ('original', 'mmcv')])
def test_the_source_of_the_stacks_mmcv_is_fetched(
        setup_env, monkeypatch, tmp_path, stack, mmcv):
    asked, compiler = [], setup_env.compile_mmcv
    monkeypatch.setattr(compiler, 'check_compiler', lambda: None)
    monkeypatch.setattr(
        compiler, 'pip', lambda *a: asked.extend(a) or 'download' not in a)
    stack = setup_env.STACKS[stack]
    message = stopped(lambda: compiler.compile_mmcv(
        stack, tmp_path / 'wheels', tmp_path / 'build', 0))
    assert f'the source of {mmcv}==' in message
    assert asked[-1] == stack.compiled
    assert asked[asked.index('--no-binary') + 1] == mmcv


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--stack'], '--stack needs a name: onedl or original'),
    (['--stack', 'other'], 'invalid choice')])
def test_test_sh_refuses_other_stacks(arguments, message):
    done = subprocess.run(['bash', str(ROOT / 'tools/test.sh'), *arguments],
                          capture_output=True, text=True, check=False,
                          timeout=LIMIT)
    assert done.returncode != 0
    assert message in done.stderr


def test_the_progress_of_the_compiler_is_shown(setup_env, tmp_path, capsys):
    code = 'for i in (1, 2, 4): print(f"[{i}/4] c++ file.o", flush=True)'
    process = subprocess.Popen([sys.executable, '-c', code],
                               stdout=subprocess.PIPE, text=True)
    assert setup_env.compile_mmcv.follow(process, tmp_path / 'log') == 0
    assert '4 of 4 files, about 0 min left' in capsys.readouterr().out
    assert (tmp_path / 'log').read_text().count('c++') == 3
