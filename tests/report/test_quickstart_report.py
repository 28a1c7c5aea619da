"""The quickstart's report: numbers as given, files that open by themselves."""
import json
from html.parser import HTMLParser

import cv2
import pytest
from browser import check_page

from rdkd.report.quickstart import Result, result_cells, write_report


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
    results = [result('teacher', .4), result('baseline', .3),
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
    header, row = result_cells([result('student', .351)])
    assert header[1:4] == ['mAP', 'AP50', 'AP75']
    assert row == ['student', '35.1', '55.1', '25.1', '1.23 M', '12.3 ms']


def test_table_of_the_folder_is_markdown(report):
    lines = (report / 'table.md').read_text().splitlines()
    assert [line.count('|') for line in lines] == [7] * 5
    assert lines[1].startswith('| --- | ---: |')
    assert lines[3].startswith('| baseline | 30.0 |')


def test_page_holds_the_table_and_only_files_beside_it(report):
    page = (report / 'index.html').read_text()
    assert '<td>35.0</td>' in page
    assert 'A &lt;title&gt;' in page
    assert 'ground truth, baseline, student + RDKD.' in page
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


def test_the_page_in_a_browser(report):
    pictures = len(list(report.glob('*.png')))
    assert 'A <title>' in check_page(report / 'index.html', pictures)
