"""Compile MMCV's C++ operators into a wheel, for ``--compiled``.

Part of tools/setup_env.py.  The compiled wheel and the object files are kept
in the user's cache, so that neither a second clone nor a run after an
interruption compiles anything twice.
"""
from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from setup_steps import (
    CACHE,
    ROOT,
    Stack,
    check_room,
    locked,
    output,
    pip,
    remove,
    run,
    say,
    stop,
    stop_pip,
    writable,
)

#: Where compiled wheels are kept.
KEPT = CACHE / 'rdkd'

#: Run in the environment: the operators load and compute with this torch.
CHECK_OPS = (
    'import torch, mmcv._ext; from mmcv.ops import nms; '
    'nms(torch.tensor([[0., 0., 9., 9.]]), torch.ones(1), 0.5)')


def check_compiler() -> None:
    """Stop if something is missing that only compiling needs."""
    if not any(shutil.which(c) for c in (os.environ.get('CXX', 'c++'), 'g++',
                                         'clang++')):
        stop('no C++ compiler was found, which --compiled needs. On Debian '
             'and Ubuntu: apt-get install g++. Without --compiled none is '
             'needed.')
    header = Path(sysconfig.get_path('include')) / 'Python.h'
    if not header.is_file():
        stop(f'the Python headers are missing ({header}), which --compiled '
             'needs. On Debian and Ubuntu: apt-get install python3-dev. '
             'Without --compiled none are needed.')
    check_room(KEPT, ' to compile')


def mmcv_key(stack: Stack) -> str:
    """Name everything that a compiled MMCV depends on."""
    described = output(
        stack.python, '-c', 'import sys, torch; print(sys.version_info[:2], '
        'torch.__version__, torch.version.cuda, torch.cuda.is_available())')
    return hashlib.sha256(
        f'{stack.compiled} {described}'.encode()).hexdigest()[:16]


def follow(process: subprocess.Popen[str], log: Path) -> int:
    """Show ninja's progress and an estimate of what is left."""
    began, first = time.monotonic(), 0
    assert process.stdout is not None
    with log.open('w') as file:
        for line in process.stdout:
            file.write(line)
            step = re.match(r'\s*\[(\d+)/(\d+)\]', line)
            if step:
                at, of = int(step[1]), int(step[2])
                first = first or at
                rate = (time.monotonic() - began) / (at - first + 1)
                left = rate * (of - at) / 60
                end = '\r' if sys.stdout.isatty() else '\n'
                print(f'[setup] compiling MMCV\'s operators: {at} of {of} '
                      f'files, about {left:.0f} min left ', end=end,
                      flush=True)
    if sys.stdout.isatty():
        print()
    return process.wait()


def compile_mmcv(stack: Stack, wheels: Path, build: Path,
                 lock: int) -> Path:
    """Compile the wheel; object files survive an interruption."""
    check_compiler()
    say('installing requirements/compiled.txt')
    if not pip(stack, 'install', '-q', '-r',
               ROOT / 'requirements' / 'compiled.txt'):
        stop_pip('what compiling needs')
    build.mkdir(parents=True, exist_ok=True)
    source = next(build.glob('*mmcv-*/setup.py'), None)
    if source is None:
        say(f'fetching the source of {stack.compiled}')
        if not pip(stack, 'download', '-q', '--no-deps',
                   '--no-build-isolation', '--no-binary',
                   stack.compiled.partition('==')[0], '-d', build,
                   stack.compiled):
            stop_pip(f'the source of {stack.compiled}')
        archive = next(build.glob('*mmcv-*.tar.gz'))
        partial = build / 'partial'
        shutil.rmtree(partial, ignore_errors=True)
        shutil.unpack_archive(archive, partial)
        tree = next(partial.iterdir())
        source = tree.replace(build / tree.name) / 'setup.py'
    cuda = output(stack.python, '-c',
                  'import torch; print(int(torch.cuda.is_available()))')
    if cuda == '1' and not (shutil.which('nvcc') or os.environ.get(
            'CUDA_HOME')):
        stop('torch sees a GPU but nvcc was not found: install the CUDA '
             'toolkit of torch\'s CUDA version, or set CUDA_HOME.')
    jobs = os.environ.get('MAX_JOBS', str(os.cpu_count() or 1))
    say(f'compiling MMCV\'s operators with {jobs} jobs: about 15 minutes on '
        'two cores, once; interrupt it if you must, it goes on from there')
    environment = dict(os.environ, MMCV_WITH_OPS='1', MAX_JOBS=jobs,
                       FORCE_CUDA=cuda or '0')
    log = build / 'compile.log'
    process = subprocess.Popen(
        [stack.python, '-m', 'pip', 'wheel', '-v', '--no-deps',
         '--no-build-isolation', '-w', build / 'out', source.parent],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=environment, start_new_session=True,
        pass_fds=[lock])  # held for as long as anything compiles
    try:
        code = follow(process, log)
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    if code:
        tail = '\n'.join(log.read_text().splitlines()[-15:])
        stop(f'MMCV did not compile. The end of {log}:\n{tail}')
    wheel = next((build / 'out').glob('*.whl'))
    wheels.mkdir(parents=True, exist_ok=True)
    shutil.copy(wheel, wheels / f'{wheel.name}.partial')
    kept = (wheels / f'{wheel.name}.partial').replace(wheels / wheel.name)
    shutil.rmtree(build)
    return kept


def install(stack: Stack, instead_of: str) -> None:
    """Install MMCV with operators that work with the installed torch.

    Args:
        stack: Of which environment.
        instead_of: The package without operators, which is removed: it has
            files of the same names.
    """
    key = mmcv_key(stack)
    wheels, build = KEPT / 'wheels' / key, KEPT / 'build' / key
    if not writable(KEPT):
        stop(f'the compiled operators are kept in {KEPT}, which cannot be '
             'written. Set XDG_CACHE_HOME to a folder that can.')
    with locked(KEPT / 'lock', 'compiling MMCV') as lock:
        kept = next(wheels.glob('*.whl'), None)
        if kept is None and published(stack, build / 'published'):
            kept = next((build / 'published').glob('*.whl'))
        elif kept is None:
            kept = compile_mmcv(stack, wheels, build, lock)
        say(f'installing {kept.name}')
        remove(stack, instead_of)
        if not pip(stack, 'install', '-q', '--no-deps', '--force-reinstall',
                   kept):
            stop_pip(kept.name)
    if not run(stack.python, '-c', CHECK_OPS):
        stop(f'MMCV\'s operators do not work with this torch (see above). '
             f'Remove {kept.parent} and run this again.')


def published(stack: Stack, folder: Path) -> bool:
    """Whether there is a published wheel for this torch; fetches it."""
    shutil.rmtree(folder, ignore_errors=True)
    if not pip(stack, 'download', '-q', '--no-deps', '--only-binary',
               ':all:', '-d', folder, stack.compiled, quiet=True):
        return False
    trial = folder / 'trial'
    shutil.unpack_archive(next(folder.glob('*.whl')), trial, 'zip')
    works = run('env', f'PYTHONPATH={trial}', stack.python, '-c', CHECK_OPS,
                quiet=True)
    if not works:
        say('the published wheel of MMCV was built for another torch')
    return works
