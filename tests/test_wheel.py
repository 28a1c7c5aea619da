"""The package without its checkout: a wheel has all of it."""
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers import LIMIT, ROOT, write

from rdkd.data.synthetic import Spec, make_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Built from the files that git knows, not from stale folders."""
    folder = tmp_path_factory.mktemp('wheel')
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others',
         '--exclude-standard'], cwd=ROOT, capture_output=True, text=True,
        timeout=LIMIT, check=False)
    if listed.returncode:
        pytest.skip('not a git repository')
    for name in filter(None, listed.stdout.split('\0')):
        source, target = ROOT / name, folder / 'source' / name
        if source.is_file() or source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps',
         '--no-build-isolation', '-w', folder / 'out', folder / 'source'],
        timeout=LIMIT, check=True)
    return next((folder / 'out').glob('*.whl'))


@pytest.fixture(scope='module')
def site(wheel, tmp_path_factory):
    """A folder with the installed wheel and nothing else."""
    folder = tmp_path_factory.mktemp('site')
    subprocess.run(
        [sys.executable, '-m', 'pip', 'install', '-q', '--no-deps',
         '--target', folder, wheel], timeout=LIMIT, check=True)
    return folder


def run(site, folder, *words):
    """Run Python in a folder, with the installed wheel first on its path."""
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, capture_output=True,
        text=True, timeout=LIMIT, check=False,
        env=dict(os.environ, PYTHONPATH=str(site), OMP_NUM_THREADS='1'))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_a_wheel_has_configs_index_templates_and_tools(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (*ROOT.glob('configs/**/*.py'), ROOT / 'configs/metafile.yml',
                 ROOT / 'model-index.yml', *ROOT.glob('tools/**/*.py'),
                 *ROOT.glob('tools/*.sh')):
        assert f'rdkd/.mim/{path.relative_to(ROOT)}' in names
    for path in ROOT.glob('rdkd/report/*.html'):
        assert str(path.relative_to(ROOT)) in names
    assert not any(name.startswith('tests/') for name in names)


def test_configs_resolve_by_the_package_s_name(site, tmp_path):
    (tmp_path / 'mine.py').write_text(
        "_base_ = ['rdkd::rdkd_retinanet_r101_r50.py']\n")
    said = run(site, tmp_path, '-c', (
        'import rdkd, mmengine; from mmengine.hub import get_config; '
        'from mmengine.config import Config; '
        'print(rdkd.__file__); '
        "print(get_config('rdkd::rdkd_fcos_r101_r50.py').model.type); "
        "print(Config.fromfile('mine.py').model.teacher)"))
    assert str(site) in said
    assert 'DetectorDistillation' in said
    assert 'mmdet::retinanet/retinanet_r101_fpn_2x_coco.py' in said


def test_a_pair_is_distilled_where_no_checkout_is(
        site, tmp_path, student_cfg, teacher_files):
    make_dataset(tmp_path / 'data', Spec(
        seed=3, splits={'train': 4, 'val': 2}, width=96, height=64))
    student_cfg.train_cfg.max_epochs = 1
    student_cfg.merge_from_dict({
        f'{split}_dataloader.dataset.data_root': 'data'
        for split in ('train', 'val', 'test')})
    for evaluator in (student_cfg.val_evaluator, student_cfg.test_evaluator):
        evaluator.ann_file = 'data/annotations/val.json'
    write(student_cfg, tmp_path / 'student.py')
    said = run(site, tmp_path, '-m', 'rdkd', 'distill', 'student.py',
               *teacher_files)
    assert 'distill.loss_fg_s8' in said
    runs = tmp_path / 'work_dirs/student_from_teacher'
    assert (runs / 'student_latest.pth').is_file()
    said = run(site, tmp_path, '-m', 'rdkd', 'test', 'student.py',
               runs / 'student_latest.pth')
    assert 'Average Precision' in said
    # Nothing was written into the installed package.
    assert not [path for path in Path(site, 'rdkd').rglob('*')
                if path.suffix in ('.pth', '.log', '.json')]
