"""What is refused in a COCO file, and what is mended on loading."""
import json
import subprocess
import sys

import pytest
from helpers import LIMIT

from rdkd.data.coco import leaving, read_annotations, renumber
from rdkd.errors import InputError


def file(tmp_path, **annotation):
    path = tmp_path / 'train.json'
    path.write_text(json.dumps(dict(
        images=[dict(id=1, file_name='a.jpg', width=9, height=9)],
        categories=[dict(id=1, name='a')],
        annotations=[dict(dict(id=1, image_id=1, category_id=1, area=4,
                               bbox=[1, 1, 2, 2]), **annotation)])))
    return path


@pytest.mark.parametrize('flag', ['iscrowd', 'ignore'])
def test_a_flag_is_0_or_1(tmp_path, flag):
    """Text is true, also that of a zero."""
    read_annotations(file(tmp_path))
    for good in (0, 1, False, True):
        read_annotations(file(tmp_path, **{flag: good}))
    for bad in ('0', '1', '', None, 2, -1, [], [0]):
        with pytest.raises(InputError, match='neither 0 nor 1') as error:
            read_annotations(file(tmp_path, **{flag: bad}))
        assert f'annotations[0] has {flag}={bad!r}' in str(error.value)


def test_deep_nesting_is_refused(tmp_path):
    """With MMRazor imported, in a process that may end."""
    path = tmp_path / 'deep.json'
    path.write_text('[' * 100_000)
    code = ('import sys, rdkd, pathlib; from rdkd.data.coco import *; '
            'read_annotations(pathlib.Path(sys.argv[1]))')
    done = subprocess.run([sys.executable, '-c', code, path], check=False,
                          capture_output=True, text=True, timeout=LIMIT)
    assert 'InputError' in done.stderr and 'is not JSON' in done.stderr


@pytest.mark.parametrize('name, out', [
    ('a.jpg', False), ('b/a.jpg', False), ('b/../a.jpg', False),
    ('..a.jpg', False), ('/data/images/a.jpg', False),
    ('../a.jpg', True), ('b/../../a.jpg', True), ('/etc/passwd', True),
    ('/data/images2/a.jpg', True), ('../images2/a.jpg', True),
    ('..', True), ('.', True), ('', True)])
def test_names_that_lead_out_of_the_folder(tmp_path, name, out):
    assert leaving([name, 'a.jpg'], '/data/images') == [name] * out
    assert leaving(['/data/a.jpg', '../../a.jpg'], '/') == []


def test_only_what_pycocotools_gets_wrong_is_renumbered():
    annotations = [dict(id=7, iscrowd=1), dict(id=0), dict(id=-2, iscrowd=0)]
    renumber(annotations)
    assert annotations == [dict(id=7, iscrowd=1), dict(id=8, iscrowd=0),
                           dict(id=-2, iscrowd=0)]
    before = [dict(a) for a in annotations]
    renumber(annotations)
    assert annotations == before
    negative = [dict(id=0), dict(id=-1)]
    renumber(negative)
    assert [a['id'] for a in negative] == [1, -1]
    renumber([])
