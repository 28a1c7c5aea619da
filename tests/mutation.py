"""Break the package's pure parts on purpose, and see which tests notice.

``python tests/mutation.py [FILE OR FOLDER ...]``; docs/mutation.md says how it
is used and what was found.  Every mutant is one change of a file's syntax
tree, never written to disk.  Torch and MMDetection are imported once; for each
mutant this process forks, and the child imports ``rdkd`` with the mutant in
it and runs the quick tests of the file.  Results are kept in
``build/mutation``; of a file that is unchanged only survivors run again, and
these only if the tests have changed.
"""
import ast
import hashlib
import importlib.abc
import importlib.util
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from mutants import mutants_of

ROOT = Path(__file__).resolve().parent.parent
ROOMS = [f'rdkd/{room}' for room in (
    'functional', 'io', 'teacher', 'objectives', 'data')]
RESULTS = ROOT / 'build' / 'mutation'
#: Heavy packages that the tests need.
WARM = ('torch', 'torchvision', 'hypothesis', 'matplotlib.pyplot',
        'mmengine.runner', 'torch.multiprocessing',
        'torch._subclasses.fake_tensor')
AFTER_OPERATORS = ('mmdet.apis', 'mmdet.engine', 'mmdet.datasets',
                   'mmdet.evaluation', 'mmdet.models', 'mmdet.visualization')
#: Seconds of CPU that a mutant gets: this many, and so many times the tests'.
PATIENCE = 20, 5


class Suite(NamedTuple):
    """The tests of a file, first those that are named after it."""
    paths: list[str]
    digest: str

    @classmethod
    def of(cls, file: Path) -> 'Suite':
        """Its namesakes, then the others of its room."""
        room, stem = file.parent.name, file.stem
        tests = ROOT / 'tests'
        paths = [*sorted(tests.glob(f'*/test_{stem}.py')),
                 *sorted(tests.glob(f'{room}/test_{stem}_*.py')),
                 *sorted(tests.glob(f'{room}/test_*.py'))]
        paths = list(dict.fromkeys(paths))
        return cls([str(path) for path in paths], digest(*paths))


def digest(*files: Path) -> str:
    return hashlib.sha256(b''.join(
        file.read_bytes() for file in files)).hexdigest()[:16]


class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module as the syntax tree it is given."""

    def __init__(self, file: Path, tree: ast.Module) -> None:
        self.name = '.'.join(file.relative_to(ROOT).with_suffix('').parts)
        self.code = compile(tree, str(file), 'exec')

    def find_spec(self, name: str, *_: Any) -> Any:
        if name == self.name:
            return importlib.util.spec_from_loader(name, self)

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.code.co_filename
        exec(self.code, module.__dict__)


def warm() -> None:
    """Import what is slow, and nothing of ``rdkd`` that could be mutated."""
    package = sys.modules['rdkd'] = ModuleType('rdkd')
    package.__path__ = [str(ROOT / 'rdkd')]
    for name in WARM:
        importlib.import_module(name)
    importlib.import_module('rdkd.compat.operators').install()
    importlib.import_module('rdkd.compat.mmrazor').import_mmrazor()
    for name in AFTER_OPERATORS:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.startswith('rdkd')]:
        del sys.modules[name]
    from hypothesis import Phase, settings
    settings.register_profile('mutation', database=None, derandomize=True,
                              phases=[Phase.explicit, Phase.generate])
    settings.load_profile('mutation')


def tested(suite: Suite, broken: Broken | None, seconds: float,
           output: str = os.devnull) -> tuple[bool, float]:
    """Whether the tests pass in a child, and its seconds of CPU."""
    pid = os.fork()
    if pid:
        _, status, used = os.wait4(pid, 0)
        return status == 0, used.ru_utime + used.ru_stime
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), ) * 2)
        stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        if broken:
            sys.meta_path.insert(0, broken)
        # What a mutant writes where it should not is lost with the folder.
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            code = pytest.main([
                '-x', '-q', '-m', 'not slow', '--tb=short', '--durations=0',
                '-p', 'no:cacheprovider', '-c', str(ROOT / 'pyproject.toml'),
                '--rootdir', str(ROOT), '--basetemp', f'{folder}/pytest',
                *suite.paths])
    finally:
        os._exit(code)


def survivors(file: Path) -> Iterator[tuple[str, bool]]:
    """Every mutant of a file, and whether it survives the tests."""
    suite = Suite.of(file)
    name = str(file.relative_to(ROOT))
    kept = RESULTS / f'{name.replace("/", ".")}.json'
    known = json.loads(kept.read_text()) if kept.exists() else {}
    source = digest(file)
    results = known['results'] if known.get('source') == source else {}
    if known.get('tests') != suite.digest:
        results = {key: False for key, alive in results.items() if not alive}
    limit = 0.0
    for mutant in mutants_of(file.read_text()):
        if mutant.name not in results:
            if not limit:
                log = str(RESULTS / f'{name.replace("/", ".")}.log')
                passed, seconds = tested(suite, None, 3600, log)
                if not passed:
                    raise SystemExit(f'unbroken, its tests fail: {log}')
                limit = PATIENCE[0] + PATIENCE[1] * seconds
            results[mutant.name], _ = tested(
                suite, Broken(file, mutant.tree), limit)
            kept.write_text(json.dumps(dict(
                source=source, tests=suite.digest, results=results), indent=1))
        yield mutant.name, results[mutant.name]


def main(names: list[str]) -> None:
    """Print a row for each file, and its survivors below."""
    os.environ['OMP_NUM_THREADS'] = '1'
    sys.path.insert(0, str(ROOT))
    RESULTS.mkdir(parents=True, exist_ok=True)
    warm()
    print('| file | mutants | survive | share |\n|---|---:|---:|---:|')
    for name in names:
        place = ROOT / name
        for file in sorted(place.glob('*.py')) if place.is_dir() else [place]:
            found = list(survivors(file))
            alive = [mutant for mutant, survives in found if survives]
            if found:
                print(f'| `{file.relative_to(ROOT)}` | {len(found)} | '
                      f'{len(alive)} | {len(alive) / len(found):.1%} |',
                      *(f'  {mutant}' for mutant in alive), sep='\n',
                      flush=True)


if __name__ == '__main__':
    main(sys.argv[1:] or ROOMS)
