"""Make an environment with a whole stack; a second run does what is missing.

Runs with the standard library alone.  mmcv's C++ ops have to be compiled
against the installed torch where no wheel fits; the compiled wheel and the
object files are kept in the user's cache, so that neither a second clone nor
a run after an interruption compiles anything twice.
"""
from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_TORCH = 'torch==2.13.0'
CACHE = Path(os.environ.get('XDG_CACHE_HOME',
                            '~/.cache')).expanduser() / 'rdkd'
GIGABYTE = 1024**3


class Stack(NamedTuple):
    """A family of packages: what differs from one to the other."""

    #: Its own packages are in requirements/<name>.txt.
    name: str
    venv: Path
    #: Not in the requirements: its ops are compiled against the torch here.
    mmcv: str

    @property
    def python(self) -> Path:
        return self.venv / 'bin' / 'python'


STACKS = {stack.name: stack for stack in (
    Stack('onedl', ROOT / '.venv', 'onedl-mmcv==2.3.6'),
    Stack('original', ROOT / '.venv-original', 'mmcv==2.1.0'),
)}

#: Run in the environment: the ops load and compute with this torch.
CHECK_OPS = (
    'import torch; from mmcv.ops import nms; '
    'nms(torch.tensor([[0., 0., 9., 9.]]), torch.ones(1), 0.5)')


def say(message: str) -> None:
    print(f'[setup] {message}', flush=True)


def stop(message: str) -> None:
    sys.exit(f'[setup] cannot go on: {message}')


def run(*command: str | Path, quiet: bool = False) -> bool:
    """Run a command; True if it succeeded."""
    out = subprocess.DEVNULL if quiet else None
    return subprocess.run([str(c) for c in command], stdout=out, stderr=out,
                          cwd=ROOT, check=False).returncode == 0


def output(*command: str | Path) -> str:
    """The standard output of a command, empty if it failed."""
    done = subprocess.run([str(c) for c in command], capture_output=True,
                          text=True, cwd=ROOT, check=False)
    return done.stdout.strip() if done.returncode == 0 else ''


def pip(stack: Stack, *arguments: str | Path) -> bool:
    return run(stack.python, '-m', 'pip', '--disable-pip-version-check',
               *arguments)


def check_machine() -> None:
    """Stop if something is missing that pip cannot install."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        stop(f'Python 3.10 to 3.12 is needed, this is '
             f'{sys.version.split()[0]} ({sys.executable}). Install one and '
             'set PYTHON=/path/to/python3.11.')
    if not run(sys.executable, '-c', 'import venv, ensurepip', quiet=True):
        stop('this Python has no venv. On Debian and Ubuntu: '
             'apt-get install python3-venv.')
    if not any(shutil.which(c) for c in (os.environ.get('CXX', 'c++'), 'g++',
                                         'clang++')):
        stop('no C++ compiler was found, and mmcv\'s ops must be compiled. '
             'On Debian and Ubuntu: apt-get install g++.')
    header = Path(sysconfig.get_path('include')) / 'Python.h'
    if not header.is_file():
        stop(f'the Python headers are missing ({header}). On Debian and '
             'Ubuntu: apt-get install python3-dev.')
    free = shutil.disk_usage(ROOT).free
    if free < 6 * GIGABYTE:
        stop(f'{free / GIGABYTE:.1f} GB are free on the disk of {ROOT}, at '
             'least 6 GB are needed.')


def system_torch_has_cuda() -> bool:
    """Whether the Python that runs this has a CUDA build of torch."""
    return output(sys.executable, '-c',
                  'import torch; print(torch.version.cuda or "")') != ''


def make_venv(stack: Stack, torch_spec: str | None) -> None:
    venv = stack.venv
    if (venv / 'bin' / 'pip').is_file() and run(
            stack.python, '-c', 'import sys; sys.exit(not (3, 10) <= '
            'sys.version_info[:2] <= (3, 12))', quiet=True):
        return
    if venv.exists() and not (venv / 'pyvenv.cfg').is_file():
        stop(f'{venv} exists and is no virtual environment. Move it away.')
    if (venv / 'bin' / 'pip').is_file():
        stop(f'{venv} has a Python that is gone or is not 3.10 to 3.12. Move '
             'it away.')
    options = []
    if torch_spec is None and system_torch_has_cuda():
        say('using the CUDA build of torch that is already installed')
        options = ['--system-site-packages']
    say(f'making {venv}')
    if not run(sys.executable, '-m', 'venv', *options, venv):
        stop(f'{venv} could not be made (see above).')


def torch_version(stack: Stack) -> str:
    return output(stack.python, '-c',
                  'import torch; print(torch.__version__)')


def install_torch(stack: Stack, spec: str | None) -> None:
    have = torch_version(stack)
    if have and spec is None:
        say(f'torch {have} is there')
        return
    say(f'installing {spec or DEFAULT_TORCH}')
    if not pip(stack, 'install', *(spec or DEFAULT_TORCH).split()):
        stop('torch could not be installed (see above). Choose another build '
             'with --torch SPEC, e.g. --torch torch==2.8.0.')


def requirements(stack: Stack, tests: bool) -> list[Path]:
    names = ['build', 'runtime', stack.name, *(['tests'] if tests else [])]
    return [ROOT / 'requirements' / f'{name}.txt' for name in names]


def install_packages(stack: Stack, tests: bool) -> None:
    files = requirements(stack, tests)
    say('installing ' + ', '.join(f'requirements/{f.name}' for f in files))
    arguments = [a for file in files for a in ('-r', str(file))]
    # torch is named so that no dependency replaces it.
    if not pip(stack, 'install', '-q', *arguments,
               f'torch=={torch_version(stack)}'):
        stop('the packages could not be installed (see above).')
    done = subprocess.run([stack.python, '-c', 'import cv2'],
                          capture_output=True, text=True, check=False)
    if 'libGL' in done.stderr or 'libgthread' in done.stderr:
        stop('OpenCV needs libGL and glib, which this system lacks. On '
             'Debian and Ubuntu: apt-get install libgl1 libglib2.0-0.')
    if done.returncode:
        stop(f'OpenCV cannot be imported:\n{done.stderr}')


def mmcv_key(stack: Stack) -> str:
    """Names everything that a compiled mmcv depends on."""
    described = output(
        stack.python, '-c', 'import sys, torch; print(sys.version_info[:2], '
        'torch.__version__, torch.version.cuda, torch.cuda.is_available())')
    return hashlib.sha256(
        f'{stack.mmcv} {described}'.encode()).hexdigest()[:16]


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
                print(f'[setup] compiling mmcv\'s ops: {at} of {of} files, '
                      f'about {left:.0f} min left ', end=end, flush=True)
    print()
    return process.wait()


def compile_mmcv(stack: Stack, wheels: Path, build: Path,
                 lock: int) -> Path:
    """Compile the wheel; object files survive an interruption."""
    build.mkdir(parents=True, exist_ok=True)
    source = next(build.glob('*mmcv-*/setup.py'), None)
    if source is None:
        say(f'fetching the source of {stack.mmcv}')
        if not pip(stack, 'download', '-q', '--no-deps',
                   '--no-build-isolation', '--no-binary',
                   stack.mmcv.partition('==')[0], '-d', build, stack.mmcv):
            stop(f'the source of {stack.mmcv} could not be fetched (see '
                 'above).')
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
    say(f'compiling mmcv\'s ops with {jobs} jobs: about 15 minutes on two '
        'cores, once; interrupt it if you must, it goes on from there')
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
        stop(f'mmcv did not compile. The end of {log}:\n{tail}')
    wheel = next((build / 'out').glob('*.whl'))
    wheels.mkdir(parents=True, exist_ok=True)
    shutil.copy(wheel, wheels / f'{wheel.name}.partial')
    kept = (wheels / f'{wheel.name}.partial').replace(wheels / wheel.name)
    shutil.rmtree(build)
    return kept


def install_mmcv(stack: Stack) -> None:
    """Install mmcv with ops that work with the installed torch."""
    if run(stack.python, '-c', CHECK_OPS, quiet=True):
        say('mmcv and its ops are there')
        return
    key = mmcv_key(stack)
    wheels, build = CACHE / 'wheels' / key, CACHE / 'build' / key
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / 'lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say('another set-up is compiling mmcv; waiting for it')
            fcntl.flock(lock, fcntl.LOCK_EX)
        kept = next(wheels.glob('*.whl'), None)
        if kept is None and run(
                stack.python, '-m', 'pip', 'install', '-q', '--no-deps',
                '--only-binary', ':all:', stack.mmcv, quiet=True):
            if run(stack.python, '-c', CHECK_OPS, quiet=True):
                say(f'installed the published wheel of {stack.mmcv}')
                return
            say('the published wheel of mmcv was built for another torch')
        if kept is None:
            kept = compile_mmcv(stack, wheels, build, lock.fileno())
        say(f'installing {kept}')
        if not pip(stack, 'install', '-q', '--no-deps', '--force-reinstall',
                   kept):
            stop('the compiled mmcv could not be installed (see above).')
    if not run(stack.python, '-c', CHECK_OPS):
        stop(f'mmcv\'s ops do not work with this torch (see above). Remove '
             f'{wheels} and run this again.')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stack', choices=STACKS, default='onedl',
                        help='onedl: the maintained forks, in .venv '
                        '(default); original: the last releases of mmcv, '
                        'mmdet and mmengine themselves, in .venv-original')
    parser.add_argument('--torch', metavar='SPEC',
                        help='what pip shall install as torch, e.g. '
                        '"torch==2.8.0"')
    parser.add_argument('--tests', action='store_true',
                        help='install what the tests need as well')
    args = parser.parse_args()
    stack = STACKS[args.stack]

    recipe = hashlib.sha256(b''.join(
        path.read_bytes() for path in (
            Path(__file__), ROOT / 'setup.py',
            *requirements(stack, tests=True)))).hexdigest()
    stamp = stack.venv / 'rdkd-setup.json'
    done = json.loads(stamp.read_text()) if stamp.is_file() else {}
    if (done.get('recipe') == recipe and done.get('root') == str(ROOT)
            and (done.get('tests') or not args.tests)
            and args.torch in (None, done.get('torch'))):
        return
    stamp.unlink(missing_ok=True)

    check_machine()
    make_venv(stack, args.torch)
    install_torch(stack, args.torch)
    install_packages(stack, args.tests)
    install_mmcv(stack)
    say('installing rdkd itself')
    if not pip(stack, 'install', '-q', '--no-deps', '--no-build-isolation',
               '-e', ROOT):
        stop('rdkd could not be installed (see above).')
    if not run(stack.python, '-c', 'import rdkd'):
        stop('rdkd cannot be imported (see above).')
    stamp.write_text(json.dumps(dict(
        recipe=recipe, root=str(ROOT), tests=args.tests, torch=args.torch)))
    say('the environment is ready')


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('\n[setup] interrupted; run the same command to go on.')
