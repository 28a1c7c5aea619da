"""The report of a comparison, down to what a browser makes of it."""
import statistics

import pytest
from browser import check_page

from rdkd.report import comparison


def runs(method, **values):
    return [dict(dict.fromkeys(comparison.METRICS, value), method=method,
                 title=method.upper(), seed=int(seed[1:]), weight=None,
                 seconds=10.0, correlation=value / 100, reviewed=None,
                 curve=[(1, value / 200), (2, value / 100)],
                 errors=dict(missed=2.0 * value, false=1.0))
            for seed, value in values.items()]


NONE = runs('none', s0=30.0, s1=36.0, s2=33.0)
RDKD = runs('rdkd', s0=33.0, s1=38.0, s2=37.0)


def test_gains_are_paired_by_seed():
    alone, distilled = comparison.summary(NONE + RDKD)
    assert alone['mAP'] == 33
    assert 'gain' not in alone
    assert distilled['gain'] == 3
    # Gains of 3, 2 and 4: their deviation is 1.
    assert distilled['gain_error'] == pytest.approx(1 / 3**.5)
    assert distilled['correlation'] == pytest.approx(0.36)
    assert distilled['mAP_std'] == pytest.approx(statistics.stdev(
        [33, 38, 37]))


def test_a_seed_without_a_student_alone_has_no_gain():
    row = comparison.summary(NONE[:1] + RDKD)[1]
    assert row['gain'] == 3
    assert row['gain_error'] is None
    assert row['seeds'] == 3
    assert comparison.summary(RDKD)[0]['gain'] is None


def test_methods_are_paired_with_the_first_rdkd():
    better = runs('rdkd+inherit', s0=35.0, s1=38.0)
    best = runs('pkd', s0=50.0, s1=50.0, s2=40.0)
    few = runs('fgd', s0=90.0)
    every = NONE + few + RDKD + better + best
    assert comparison.main_method(every) == 'rdkd'
    assert comparison.main_method(NONE + few + best) == 'pkd'
    assert comparison.main_method(NONE) is None
    rows = {row['method']: row for row in comparison.summary(every)}
    assert 'behind' not in rows['rdkd']
    # RDKD is ahead by -2 and 0, whose deviation is the root of 2.
    assert rows['rdkd+inherit']['behind'] == -1
    assert rows['rdkd+inherit']['behind_error'] == pytest.approx(1)
    assert rows['none']['behind'] == 3
    assert rows['pkd']['behind'] == pytest.approx(-32 / 3)
    assert rows['fgd']['behind'] == -57
    assert rows['fgd']['behind_error'] is None


def test_a_size_without_boxes_is_no_figure():
    row, = comparison.summary([dict(run, APs=None) for run in NONE])
    assert row['APs'] is None
    assert comparison.cells([row])[1][8] == ''


def test_a_review_is_compared_too():
    rows = comparison.summary(NONE + [dict(r, reviewed=0.5) for r in RDKD])
    header, alone, distilled = comparison.cells(rows)
    column = header.index('reviewed')
    assert (alone[column], distilled[column]) == ('', '0.50')


def test_errors_are_means_over_the_seeds():
    assert comparison.error_cells(NONE + RDKD) == [
        ['method', 'missed', 'false'], ['NONE', '66.0', '1.0'],
        ['RDKD', '72.0', '1.0']]


def test_the_page_in_a_browser(tmp_path):
    (tmp_path / 'change_1.png').write_bytes(PNG)
    comparison.write_comparison(
        tmp_path, title='A <title>', teacher=41.0, command='python it',
        versions=dict(torch='2'), runs=NONE + RDKD,
        tuning=[dict(title='PKD', weight=5, seed=9, mAP=3.0),
                dict(title='PKD', weight=50, seed=9, failed='not finite')],
        panels=['alone', 'RDKD'],
        pictures=[dict(file='change_1.png', title='image 1')], attention=[])
    text = check_page(tmp_path / 'index.html', pictures=2)
    for part in ('33.0 ± 3.0', '+3.0 ± 0.6', 'stopped', 'A <title>',
                 'from RDKD of the same seed', '0.36'):
        assert part in text
    assert '| RDKD |  | 3 | 36.0 ± 2.6 |' in (
        tmp_path / 'table.md').read_text()


def test_a_missing_picture_is_noticed(tmp_path):
    page = tmp_path / 'index.html'
    page.write_text('<html><body><img src="none.png"></body></html>')
    with pytest.raises(AssertionError, match=r'none\.png'):
        check_page(page, pictures=1)
    page.write_text('<html><body><script>undefinedThing()</script></body>'
                    '</html>')
    with pytest.raises(AssertionError, match='undefinedThing'):
        check_page(page, pictures=0)
    page.write_text('<html><body><pre>' + 'x' * 500 + '</pre></body></html>')
    with pytest.raises(AssertionError, match='wider than'):
        check_page(page, pictures=0)


PNG = bytes.fromhex(
    '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489'
    '0000000d49444154789c6360606060000000050001a5f645400000000049454e44'
    'ae426082')
