"""The statistics of a comparison: methods over their seeds."""
import json
import statistics
from dataclasses import replace

import pytest
from helpers import ROOT

from rdkd.report.comparison import cells
from rdkd.report.runs import METRICS, FailedRun, Run
from rdkd.report.summary import main_method, summary

PUBLISHED = sorted((ROOT / 'docs/results').glob('*.json'))


def runs(method, **values):
    """A run of a method for each seed, of this mAP."""
    return [Run(method, method.upper(), int(seed[1:]), weight=None,
                phase=f'{method}_{seed}', seconds=10.0,
                correlation=value / 100, reviewed=None,
                curve=[(1, value / 200), (2, value / 100)],
                errors=dict(missed=2.0 * value, false=1.0),
                metrics=dict.fromkeys(METRICS, value))
            for seed, value in values.items()]


NONE = runs('none', s0=30.0, s1=36.0, s2=33.0)
RDKD = runs('rdkd', s0=33.0, s1=38.0, s2=37.0)


def test_gains_are_paired_by_seed():
    baseline, distilled = summary(NONE + RDKD)
    assert baseline.metrics['mAP'].value == 33
    assert baseline.gain is None
    assert distilled.gain.value == 3
    # Gains of 3, 2 and 4: their deviation is 1.
    assert distilled.gain.error == pytest.approx(1 / 3**.5)
    assert distilled.correlation == pytest.approx(0.36)
    assert distilled.metrics['mAP'].error == pytest.approx(statistics.stdev(
        [33, 38, 37]))


def test_a_seed_without_a_baseline_has_no_gain():
    row = summary(NONE[:1] + RDKD)[1]
    assert row.gain.value == 3
    assert row.gain.error is None
    assert row.seeds == 3
    assert summary(RDKD)[0].gain.value is None


def test_methods_are_paired_with_the_first_rdkd():
    better = runs('rdkd+inherit', s0=35.0, s1=38.0)
    best = runs('pkd', s0=50.0, s1=50.0, s2=40.0)
    few = runs('fgd', s0=90.0)
    every = NONE + few + RDKD + better + best
    assert main_method(every) == 'rdkd'
    assert main_method(NONE + few + best) == 'pkd'
    assert main_method(NONE) is None
    rows = {row.method: row for row in summary(every)}
    assert rows['rdkd'].behind is None
    # RDKD is ahead by -2 and 0, whose deviation is the root of 2.
    assert rows['rdkd+inherit'].behind.value == -1
    assert rows['rdkd+inherit'].behind.error == pytest.approx(1)
    assert rows['none'].behind.value == 3
    assert rows['pkd'].behind.value == pytest.approx(-32 / 3)
    assert rows['fgd'].behind.value == -57
    assert rows['fgd'].behind.error is None


def test_a_size_without_boxes_is_no_figure():
    row, = summary([
        replace(run, metrics=dict(run.metrics, APs=None)) for run in NONE])
    assert row.metrics['APs'].value is None
    assert cells([row])[1][8] == ''


def test_a_review_is_compared_too():
    rows = summary(NONE + [replace(run, reviewed=0.5) for run in RDKD])
    header, baseline, distilled = cells(rows)
    column = header.index('reviewed')
    assert (baseline[column], distilled[column]) == ('', '0.50')


@pytest.mark.parametrize('file', PUBLISHED, ids=lambda file: file.stem)
def test_published_results_are_read_and_summed_up_as_they_are(file):
    found = json.loads(file.read_text())
    read = [Run.from_json(record) for record in found['runs']]
    assert json.loads(json.dumps([run.to_json() for run in read])) == (
        found['runs'])
    rows = [row.to_json() for row in summary(read)]
    assert [row.keys() for row in rows] == [
        row.keys() for row in found['summary']]
    for row, expected in zip(rows, found['summary'], strict=True):
        assert row == pytest.approx(expected)


def test_a_run_that_failed_keeps_its_keys():
    record = dict(method='pkd', title='PKD', seed=9, weight=50,
                  failed='not finite')
    run = FailedRun.from_json(record)
    assert run.why == 'not finite'
    assert run.to_json() == record
