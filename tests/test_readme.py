"""The front door: what README, its picture and the license files state."""
import json
import re
import runpy

import pytest
import yaml
from helpers import ROOT, build, steps

import rdkd
from rdkd.functional.scales import POOL_SIZES

README = (ROOT / 'README.md').read_text()
PICTURE = (ROOT / 'docs/images/batch_flow.svg').read_text()


def rows(text, head):
    """The rows below a head of a Markdown table, wherever there is one."""
    for table in re.findall(rf'^\| {head}.*\n\|[-|: ]+\n((?:\|.*\n)+)', text,
                            re.M):
        yield from ([cell.strip() for cell in line.split('|')[1:-1]]
                    for line in table.splitlines())


def test_readme_is_short():
    assert len(README.split()) <= 900


@pytest.mark.parametrize(('row', 'file'), enumerate(['bccd', 'mini']))
def test_readmes_table_is_what_was_measured(row, file):
    found = json.loads((ROOT / f'docs/results/{file}_retinanet.json')
                       .read_text())
    methods = {each['method']: each for each in found['summary']}
    others = [name for name in methods if name.endswith('+inherit')
              and name.split('+')[0] not in ('none', 'rdkd')]
    best = max(others, key=lambda name: methods[name]['mAP'])

    def cell(name):
        each = methods[name]
        return f'{each["mAP"]:.1f} ± {each["mAP_std"]:.1f}'

    assert list(rows(README, 'mAP'))[row][1:] == [
        f'{found["teacher"]:.1f}', cell('none'), cell('none+inherit'),
        f'{cell(best)} ({best.split("+")[0].upper()})', cell('rdkd+inherit')]
    assert found['command'].replace('--data BCCD ', '') in README.replace(
        '--data BCCD ', '')


def test_what_a_step_costs_is_what_was_measured():
    text = (ROOT / 'docs/performance.md').read_text()
    times = [(row[0], float(row[1].split()[0]))
             for row in rows(text, 'training step')]
    students = [time for name, time in times if name == 'student']
    ours = [time for name, time in times if name == 'rdkd']
    longer = [round(100 * (b / a - 1))
              for a, b in zip(students, ours, strict=True)]
    assert f'{min(longer)} to {max(longer)} % longer' in ' '.join(
        README.split())


def test_the_picture_is_what_its_script_draws():
    script = runpy.run_path(str(ROOT / 'docs/images/batch_flow.py'))
    assert script['picture']() == PICTURE
    assert script['FILE'].read_text() == PICTURE


def test_the_picture_names_what_a_step_gives(rdkd_cfg, batch):
    losses, = steps(build(rdkd_cfg), batch, 1)
    named = set(re.findall(r'>((?:distill|student)\.\w+)<', PICTURE))
    assert len(named) == 4
    assert named <= set(losses)
    pooled = re.findall(r'>(\d)x\1<', PICTURE)
    assert tuple(map(int, pooled)) == POOL_SIZES


def test_who_cites_finds_this_version_and_its_license():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == rdkd.__version__
    assert citation['license'] == 'Apache-2.0'
    assert 'Apache License' in (ROOT / 'LICENSE').read_text()
    assert f'## {rdkd.__version__}' in (ROOT / 'CHANGELOG.md').read_text()
