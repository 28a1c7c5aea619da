"""The report: its numbers are those given, its files open by themselves."""
import json
from html.parser import HTMLParser

import cv2
import pytest

from rdkd.report.report import (
    Result,
    markdown_table,
    read_history,
    write_report,
)


def result(name, value):
    return Result(
        name=name,
        metrics={'coco/bbox_mAP': value, 'coco/bbox_mAP_50': value + .2,
                 'coco/bbox_mAP_75': value - .1},
        parameters=1_234_567, milliseconds=12.34,
        detections=[dict(image_id=9, bbox=[4, 4, 20, 20], category_id=3,
                         score=.9),
                    dict(image_id=9, bbox=[40, 4, 20, 20], category_id=3,
                         score=.05)],
        curve=[(1, value / 2), (2, value)],
        losses={'distill.loss_fg_s8': [(1, 3.), (2, 2.)]})


@pytest.fixture
def report(mini_data, tmp_path):
    coco = json.loads((mini_data / 'annotations/val.json').read_text())
    results = [result('teacher', .4), result('student alone', .3),
               result('student + RDKD', .35)]
    write_report(
        tmp_path / 'report', 'A <title>', 'a summary', 'bash it',
        dict(torch='2'), ['a note'], results, results[1:], coco,
        mini_data / 'images')
    return tmp_path / 'report'


class Sources(HTMLParser):
    found: list

    def handle_starttag(self, tag, attrs):
        self.found += [v for k, v in attrs if k in ('src', 'href')]


def test_table_has_the_given_numbers():
    lines = markdown_table([result('student', .351)]).splitlines()
    assert lines[0].count('|') == lines[1].count('|') == lines[2].count('|')
    assert lines[2] == '| student | 35.1 | 55.1 | 25.1 | 1.23 M | 12.3 ms |'


def test_page_holds_the_table_and_only_files_beside_it(report):
    page = (report / 'index.html').read_text()
    assert '<td>35.0</td>' in page
    assert 'A &lt;title&gt;' in page
    parser = Sources()
    parser.found = []
    parser.feed(page)
    assert len(parser.found) >= 4
    for source in parser.found:
        assert (report / source).is_file(), source


def test_pictures_show_three_panels_side_by_side(report):
    for picture in report.glob('image_*.png'):
        height, width, _ = cv2.imread(str(picture)).shape
        assert width > 3 * 96
        assert height > 64


def test_history_of_an_interrupted_run(tmp_path):
    for folder, rows in (('1', [dict(step=1, loss=4.), dict(step=2, loss=9.)]),
                         ('2', [dict(step=2, loss=3.),
                                {'step': 1, 'coco/bbox_mAP': .5}])):
        log = tmp_path / folder / 'vis_data/scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text('\n'.join(map(json.dumps, rows)))
    curve, losses = read_history(tmp_path)
    assert curve == [(1, .5)]
    assert losses == {'loss': [(1, 4.), (2, 3.)]}
