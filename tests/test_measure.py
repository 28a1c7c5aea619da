"""Time and memory are measured and not guessed."""
import time

import pytest
import torch

from rdkd.measure import SavedBytes, peak_bytes, seconds

CPU = torch.device('cpu')


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
    def measured(cells):
        # Of several, since what other tests left may be returned meanwhile.
        peaks = [peak_bytes(lambda: torch.ones(cells).sum(), CPU)
                 for _ in range(3)]
        if None in peaks:
            pytest.skip('this system does not tell the peak of a process')
        return sorted(peaks)[1]

    assert 150e6 < measured(50_000_000) < 400e6
    assert measured(10) < 50e6
