"""The report of a comparison, down to what a browser makes of it."""
from dataclasses import replace

from browser import check_page
from test_summary import NONE, RDKD

from rdkd.report.comparison import (
    Picture,
    error_cells,
    tuning_cells,
    write_comparison,
)
from rdkd.report.runs import FailedRun

PNG = bytes.fromhex(
    '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489'
    '0000000d49444154789c6360606060000000050001a5f645400000000049454e44'
    'ae426082')


def test_errors_are_means_over_the_seeds():
    assert error_cells(NONE + RDKD) == [
        ['method', 'missed', 'false'], ['NONE', '66.0', '1.0'],
        ['RDKD', '72.0', '1.0']]


def test_a_weight_that_diverged_is_in_the_table():
    assert tuning_cells([replace(RDKD[0], weight=5),
                         FailedRun('pkd', 'PKD', 9, 50, 'not finite')]) == [
        ['method', 'weight', 'seed', 'mAP'], ['RDKD', '5', '0', '33.0'],
        ['PKD', '50', '9', 'stopped']]


def test_the_page_in_a_browser(tmp_path):
    (tmp_path / 'change_1.png').write_bytes(PNG)
    write_comparison(
        tmp_path, title='A <title>', teacher=41.0, command='python it',
        versions=dict(torch='2'), runs=NONE + RDKD,
        tuning=[replace(RDKD[0], weight=5),
                FailedRun('pkd', 'PKD', 9, 50, 'not finite')],
        panels=['baseline', 'RDKD'],
        pictures=[Picture('change_1.png', 'image 1')], attention=[])
    text = check_page(tmp_path / 'index.html', pictures=2)
    for part in ('33.0 ± 3.0', '+3.0 ± 0.6', 'stopped', 'A <title>',
                 'from RDKD of the same seed', '0.36', 'over the baseline',
                 'image 1'):
        assert part in text
    assert '| RDKD |  | 3 | 36.0 ± 2.6 |' in (
        tmp_path / 'table.md').read_text()
