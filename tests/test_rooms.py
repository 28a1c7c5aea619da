"""The house: lower rooms never import higher ones, and files stay small."""
import ast

import pytest
from helpers import ROOT

PACKAGE = ROOT / 'rdkd'
#: From low to high; ``docs/architecture.md`` has the same order.
ROOMS = ('errors', 'arguments', 'functional', 'layers', 'io', 'compat',
         'detectors', 'objectives', 'teacher', 'algorithm', 'data', 'runtime',
         'analysis', 'report', 'experiments', 'cli')
FILES = sorted(path for path in PACKAGE.rglob('*.py')
               if '.mim' not in path.parts)


def room_of(path):
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix('.py')


def imported_rooms(path):
    """Rooms of this package that a file imports from, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != 'rdkd' else [
                f'rdkd.{alias.name}' for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split('.')
            if parts[0] == 'rdkd' and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize('path', [
    path for path in FILES if path.parent != PACKAGE or path.stem in ROOMS],
    ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_room_imports_a_higher_one(path):
    own = ROOMS.index(room_of(path))
    for room in imported_rooms(path):
        if room in ROOMS:
            assert ROOMS.index(room) <= own, f'{path} imports {room}'


def test_every_room_has_its_place():
    rooms = {path.name for path in PACKAGE.iterdir()
             if path.is_dir() and not path.name.startswith(('.', '_'))}
    assert rooms <= set(ROOMS)


def test_the_functions_import_torch_and_nothing_else():
    for path in PACKAGE.glob('functional/*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module.split('.')[0] in (
                    'torch', 'collections', 'itertools', 'typing', 'rdkd')


def test_no_file_is_long():
    limits = {path: 300 for path in FILES}
    limits |= {path: 350 for path in (ROOT / 'tests').rglob('*.py')}
    long = [f'{path.relative_to(ROOT)}: {lines}' for path, limit in
            limits.items() if (lines := len(
                path.read_text().splitlines())) > limit]
    assert not long
