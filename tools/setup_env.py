"""Make an environment with a whole stack; a second run does what is missing.

Runs with the standard library alone.  MMCV comes without its C++ operators
(mmcv-lite), whose place rdkd.compat.operators takes, and nothing is compiled;
--compiled compiles them, and where they are in the environment they stay.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import compile_mmcv
from setup_steps import (
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
)

DEFAULT_TORCH = 'torch==2.13.0'
OLDEST_TORCH = (2, 6)
LITE_MMCV = 'mmcv-lite==2.1.0'
#: In an environment that is ready: of what.
STAMP = 'rdkd-setup.json'
STACKS = {stack.name: stack for stack in (
    Stack('onedl', ROOT / '.venv', 'onedl-mmcv==2.3.6'),
    Stack('original', ROOT / '.venv-original', 'mmcv==2.1.0'),
)}


def check_machine() -> None:
    """Stop if something is missing that pip cannot install."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        stop(f'Python 3.10 to 3.12 is needed, this is '
             f'{sys.version.split()[0]} ({sys.executable}). Install one and '
             'set PYTHON=/path/to/python3.11.')
    if not run(sys.executable, '-c', 'import venv, ensurepip', quiet=True):
        stop('this Python has no venv. On Debian and Ubuntu: '
             'apt-get install python3-venv.')
    for folder in (ROOT, Path(tempfile.gettempdir())):
        check_room(folder)


def fits(torch: str) -> bool:
    """Whether rdkd works with a version of torch."""
    found = re.match(r'(\d+)\.(\d+)', torch)
    return found is not None and (
        int(found[1]), int(found[2])) >= OLDEST_TORCH


def system_torch_has_cuda() -> bool:
    """Whether the Python that runs this has a CUDA build of torch to use."""
    return fits(output(
        sys.executable, '-c', 'import torch; '
        'print(torch.__version__ if torch.version.cuda else "")'))


def make_venv(stack: Stack, torch_spec: str | None) -> None:
    """Make a stack's environment unless there is one."""
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
    """The version of an environment's torch, empty if there is none."""
    return output(stack.python, '-c',
                  'import torch; print(torch.__version__)')


def install_torch(stack: Stack, spec: str | None) -> None:
    """Install torch, unless one is there that fits."""
    have = torch_version(stack)
    if have and spec is None and fits(have):
        say(f'torch {have} is there')
        return
    if have and spec is None:
        say(f'torch {have} is there, which is too old')
    spec = spec or DEFAULT_TORCH
    say(f'installing {spec}')
    if not pip(stack, 'install', *spec.split(), what=f'installing {spec}'):
        stop_pip(spec)
    if not fits(torch_version(stack)):
        stop(f'"{spec}" gave torch {torch_version(stack) or "none"}; rdkd '
             'needs 2.6 or newer. Choose another with --torch SPEC, e.g. '
             '--torch torch==2.8.0.')


def requirements(stack: Stack, tests: bool) -> list[Path]:
    """The files that say what an environment has."""
    names = ['build', 'runtime', stack.name,
             *(['tests', 'docs'] if tests else [])]
    return [ROOT / 'requirements' / f'{name}.txt' for name in names]


def install_packages(stack: Stack, tests: bool) -> None:
    """Install everything but torch and MMCV."""
    files = requirements(stack, tests)
    what = 'installing ' + ', '.join(f'requirements/{f.name}' for f in files)
    say(what)
    arguments = [a for file in files for a in ('-r', str(file))]
    # torch is named so that no dependency replaces it.
    if not pip(stack, 'install', '-q', *arguments,
               f'torch=={torch_version(stack)}', what=what):
        stop_pip('the packages')
    done = subprocess.run([stack.python, '-c', 'import cv2'],
                          capture_output=True, text=True, check=False)
    if 'libGL' in done.stderr or 'libgthread' in done.stderr:
        stop('OpenCV needs libGL and glib, which this system lacks. On '
             'Debian and Ubuntu: apt-get install libgl1 libglib2.0-0.')
    if done.returncode:
        stop(f'OpenCV cannot be imported:\n{done.stderr}')


def install_mmcv(stack: Stack, compiled: bool) -> None:
    """Install MMCV: compiled operators stay if they are there."""
    name, _, version = LITE_MMCV.partition('==')
    if run(stack.python, '-c', compile_mmcv.CHECK_OPS, quiet=True):
        say('MMCV and its compiled operators are there')
    elif compiled:
        compile_mmcv.install(stack, instead_of=name)
    elif version == output(
            stack.python, '-c', 'import sys, importlib.metadata; '
            'print(importlib.metadata.version(sys.argv[1]))', name):
        say(f'{LITE_MMCV} is there')
    else:
        say(f'installing {LITE_MMCV}; its operators are rdkd\'s')
        # One that was compiled for another torch has files of the same names.
        # No dependencies: it would bring its own MMEngine beside the fork.
        remove(stack, stack.compiled.partition('==')[0])
        if not pip(stack, 'install', '-q', '--no-deps', LITE_MMCV):
            stop_pip(LITE_MMCV)


def main() -> None:
    """Do what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stack', choices=STACKS, default='onedl',
                        help='onedl: the maintained forks, in .venv '
                        '(default); original: the last releases of mmcv, '
                        'mmdet and mmengine themselves, in .venv-original')
    parser.add_argument('--torch', metavar='SPEC',
                        help='what pip shall install as torch, e.g. '
                        '"torch==2.8.0"')
    parser.add_argument('--compiled', action='store_true',
                        help='compile MMCV\'s C++ operators: a compiler, the '
                        'Python headers and 10 to 40 minutes')
    parser.add_argument('--tests', action='store_true',
                        help='install what the tests need as well')
    args = parser.parse_args()
    stack = STACKS[args.stack]

    recipe = hashlib.sha256(b''.join(
        path.read_bytes() for path in (
            *sorted(Path(__file__).parent.glob('setup_*.py')),
            ROOT / 'setup.py', *requirements(stack, tests=True)))).hexdigest()
    stamp = stack.venv / STAMP

    def is_ready() -> bool:
        done = json.loads(stamp.read_text()) if stamp.is_file() else {}
        return (done.get('recipe') == recipe
                and done.get('root') == str(ROOT)
                and (done.get('tests') or not args.tests)
                and (done.get('compiled') or not args.compiled)
                and args.torch in (None, done.get('torch')))

    if is_ready():
        return
    with locked(ROOT, f'at work in {ROOT}'):
        if not is_ready():  # another set-up may have done it
            set_up(stack, args)
            partial = stamp.with_suffix('.partial')
            partial.write_text(json.dumps(dict(
                recipe=recipe, root=str(ROOT), tests=args.tests,
                compiled=args.compiled, torch=args.torch)))
            partial.replace(stamp)
            say('the environment is ready')


def set_up(stack: Stack, args: argparse.Namespace) -> None:
    """Do the steps; each does what is missing."""
    check_machine()
    make_venv(stack, args.torch)
    (stack.venv / STAMP).unlink(missing_ok=True)
    install_torch(stack, args.torch)
    install_packages(stack, args.tests)
    install_mmcv(stack, args.compiled)
    say('installing rdkd itself')
    if not pip(stack, 'install', '-q', '--no-deps', '--no-build-isolation',
               '-e', ROOT):
        stop('rdkd could not be installed (see above).')
    done = subprocess.run([stack.python, '-c', 'import rdkd.algorithm'],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        stop(f'rdkd cannot be imported:\n{done.stderr}')


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('\n[setup] interrupted; run the same command to go on.')
