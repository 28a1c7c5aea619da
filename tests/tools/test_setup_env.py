"""What the set-up says when something is missing, and that it does no work
twice.  Making an environment for real is what CI does before any test."""
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup_env(monkeypatch):
    spec = importlib.util.spec_from_file_location(
        'setup_env', ROOT / 'tools/setup_env.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stopped(call):
    with pytest.raises(SystemExit) as error:
        call()
    assert '[setup] cannot go on' in str(error.value)
    return str(error.value)


def test_this_machine_is_complete(setup_env):
    setup_env.check_machine()


def test_no_compiler(setup_env, monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    assert 'apt-get install g++' in stopped(setup_env.check_machine)


def test_no_headers(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env.sysconfig, 'get_path',
                        lambda name: '/nowhere')
    assert '/nowhere/Python.h' in stopped(setup_env.check_machine)


def test_no_disk(setup_env, monkeypatch):
    usage = shutil.disk_usage('/')._replace(free=10**9)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage)
    assert '0.9 GB are free' in stopped(setup_env.check_machine)


def test_other_python(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env.sys, 'version_info', (3, 13, 0))
    assert 'Python 3.10 to 3.12' in stopped(setup_env.check_machine)


def test_no_libgl(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, 'pip', lambda *arguments: True)
    monkeypatch.setattr(setup_env, 'output', lambda *arguments: '2.13.0')
    failed = subprocess.CompletedProcess(
        [], 1, '', 'ImportError: libGL.so.1: cannot open shared object')
    monkeypatch.setattr(setup_env.subprocess, 'run', lambda *a, **k: failed)
    assert 'libgl1' in stopped(lambda: setup_env.install_packages(False))


def test_no_python_at_all(tmp_path):
    """PATH without any Python: the script says which ones would do."""
    (tmp_path / 'bin').mkdir()
    for name in ('bash', 'dirname', 'env'):
        os.symlink(shutil.which(name), tmp_path / 'bin' / name)
    done = subprocess.run(
        ['bash', str(ROOT / 'tools/env.sh')], capture_output=True, text=True,
        env={'PATH': str(tmp_path / 'bin')}, check=False)
    assert done.returncode == 1
    assert 'Python 3.10, 3.11 or 3.12 was not found' in done.stderr


@pytest.mark.skipif(not (ROOT / '.venv/rdkd-setup.json').is_file(),
                    reason='not in an environment of tools/env.sh')
def test_a_second_run_does_nothing():
    done = subprocess.run(['bash', str(ROOT / 'tools/env.sh'), '--tests'],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout == done.stderr == ''


def test_the_progress_of_the_compiler_is_shown(setup_env, tmp_path, capsys):
    code = 'for i in (1, 2, 4): print(f"[{i}/4] c++ file.o", flush=True)'
    process = subprocess.Popen([sys.executable, '-c', code],
                               stdout=subprocess.PIPE, text=True)
    assert setup_env.follow(process, tmp_path / 'log') == 0
    assert '4 of 4 files, about 0 min left' in capsys.readouterr().out
    assert (tmp_path / 'log').read_text().count('c++') == 3
