"""Importing a report or an analysis leaves the host's figures alone."""
import os
import subprocess
import sys

from helpers import LIMIT, ROOT

CODE = """
import importlib, pkgutil
import matplotlib
import rdkd.analysis, rdkd.report
from matplotlib import pyplot
pyplot.switch_backend('svg')
before = dict(matplotlib.rcParams)
names = [module.name for room in (rdkd.analysis, rdkd.report)
         for module in pkgutil.iter_modules(room.__path__,
                                            room.__name__ + '.')]
for name in names:
    importlib.import_module(name)
assert len(names) > 10, names
from rdkd.analysis.error_types import error_types
box = dict(image_id=1, category_id=1, bbox=[0, 0, 9, 9])
assert error_types(dict(images=[dict(id=1)], annotations=[box]),
                   [dict(box, score=1)])['missed'] == 0
assert matplotlib.get_backend() == 'svg'
assert before == dict(matplotlib.rcParams)
"""


def test_backend_and_style_are_the_hosts():
    done = subprocess.run(
        [sys.executable, '-c', CODE], capture_output=True, text=True,
        check=False, timeout=LIMIT, cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert done.returncode == 0, done.stderr[-3000:]


def test_tide_is_imported_when_it_is_used():
    code = ('import sys, rdkd.analysis.error_types; '
            'assert "tidecv" not in sys.modules')
    subprocess.run([sys.executable, '-c', code], check=True, timeout=LIMIT,
                   cwd=ROOT, env=dict(os.environ, PYTHONPATH=str(ROOT)))
