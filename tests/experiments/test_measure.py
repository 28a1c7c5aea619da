"""Time and memory are measured and not guessed."""
import os
import subprocess
import sys
import time

import pytest
import torch
from helpers import LIMIT, ROOT

from rdkd.experiments.measure import SavedBytes, seconds

CPU = torch.device('cpu')
PEAKS = """
import torch
from rdkd.experiments.measure import peak_bytes
for cells in (50_000_000, 10):
    print(peak_bytes(lambda: torch.ones(cells).sum(), torch.device('cpu')))
"""


def test_a_tensor_that_is_kept_is_counted_once():
    x = torch.randn(1000, requires_grad=True)
    with SavedBytes() as saved:
        y = x.exp()  # keeps its result
        y * y
    assert saved.bytes() == 4000


def test_what_is_there_anyway_does_not_count():
    x = torch.randn(1000, requires_grad=True)
    with SavedBytes([x]) as saved:
        x.square()
    assert saved.bytes() == 0


def test_seconds_are_those_of_the_work():
    assert seconds(lambda: time.sleep(0.05), CPU) >= 0.05


def test_the_peak_is_of_what_lived_and_not_of_what_is_left():
    # A new process: this one may hold free memory of other tests already.
    said = subprocess.run(
        [sys.executable, '-c', PEAKS], capture_output=True, text=True,
        check=True, timeout=LIMIT, cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT))).stdout.split()
    if said[-1] == 'None':
        pytest.skip('this system does not tell the peak of a process')
    large, small = map(int, said[-2:])
    assert 150e6 < large < 400e6
    assert small < 50e6
