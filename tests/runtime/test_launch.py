"""Continuing, refusing to overwrite, and what a config's student is."""
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from rdkd.errors import InputError
from rdkd.io.config import load_config
from rdkd.runtime.launch import student_config
from rdkd.runtime.processes import prepare_processes
from rdkd.runtime.resume import set_resume
from rdkd.runtime.teacher_classes_hook import check_classes


@pytest.fixture
def cfg(tmp_path):
    return Config(dict(work_dir=str(tmp_path), model=dict(type='RetinaNet')))


def checkpoint(folder, epoch, whole=True):
    path = folder / f'epoch_{epoch}.pth'
    torch.save(dict(state_dict={'w': torch.ones(1)}, optimizer={}, meta={}),
               path)
    if not whole:
        path.write_bytes(path.read_bytes()[:-40])
    return path


def test_a_new_run_in_an_empty_folder(cfg):
    set_resume(cfg, None)
    assert not cfg.get('resume')


@pytest.mark.parametrize('whole', [True, False])
def test_a_new_run_does_not_write_over_an_old_one(cfg, tmp_path, whole):
    checkpoint(tmp_path, 1, whole)
    with pytest.raises(InputError, match='--resume'):
        set_resume(cfg, None)


def test_auto_resume_of_nothing_starts_anew(cfg):
    cfg.load_from = 'pretrained.pth'
    set_resume(cfg, 'auto')
    assert not cfg.get('resume')
    assert cfg.load_from == 'pretrained.pth'


def test_auto_resume_passes_over_a_cut_off_checkpoint(cfg, tmp_path):
    whole = checkpoint(tmp_path, 3)
    checkpoint(tmp_path, 4, whole=False)
    set_resume(cfg, 'auto')
    assert cfg.resume is True
    assert cfg.load_from == str(whole)


@pytest.mark.parametrize('left', [
    ['student_latest.pth'], ['student_latest.pth', 'student_best.pth'],
    ['epoch_4.pth', 'student_best.pth']])
def test_nothing_to_continue_from_is_a_new_run_that_loses_nothing(
        cfg, tmp_path, monkeypatch, left):
    """Again and again: whatever an aborted start wrote is still there."""
    told = []
    monkeypatch.setattr('rdkd.runtime.resume.print_log',
                        lambda text, *args: told.append(text))
    cfg.load_from = 'pretrained.pth'
    for start in (1, 2):
        for name in left:
            (tmp_path / name).write_text(f'{name} {start}')
        with pytest.raises(InputError, match=r'--resume.*the beginning'):
            set_resume(cfg, None)
        set_resume(cfg, 'auto')
        assert not cfg.get('resume')
        assert cfg.load_from == 'pretrained.pth'
        folder = tmp_path / f'earlier_{start}'
        assert f'is in {folder}' in told[-1]
        assert {path.name: path.read_text() for path in folder.iterdir()
                } == {name: f'{name} {start}' for name in left}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'earlier_1', 'earlier_2']


def test_students_beside_a_checkpoint_stay(cfg, tmp_path):
    checkpoint(tmp_path, 1)
    (tmp_path / 'student_best.pth').write_text('best')
    set_resume(cfg, 'auto')
    assert cfg.resume is True
    assert (tmp_path / 'student_best.pth').is_file()


def test_other_processes_than_the_first_move_nothing(cfg, tmp_path,
                                                     monkeypatch):
    monkeypatch.setenv('RANK', '1')
    (tmp_path / 'student_best.pth').write_text('best')
    set_resume(cfg, 'auto')
    assert (tmp_path / 'student_best.pth').is_file()


@pytest.mark.parametrize('resume', ['auto', 'epoch_1.pth'])
def test_what_is_no_training_of_this_kind_is_not_resumed(cfg, tmp_path,
                                                         resume):
    """Named or found."""
    if resume != 'auto':
        resume = str(tmp_path / resume)
    checkpoint(tmp_path, 1)
    cfg.model = dict(type='DetectorDistillation', distiller=dict())
    with pytest.raises(InputError, match='with no teacher'):
        set_resume(cfg, resume)
    torch.save(dict(state_dict={'w': torch.ones(1)}),
               tmp_path / 'epoch_1.pth')
    with pytest.raises(InputError, match='no training state'):
        set_resume(cfg, resume)


def test_resume_from_a_named_file(cfg, tmp_path):
    file = str(tmp_path / 'some.pth')
    cfg.model = dict(distiller=dict())
    torch.save(dict(state_dict={'architecture.w': torch.ones(1)},
                    optimizer={}, meta={}), file)
    set_resume(cfg, file)
    assert (cfg.resume, cfg.load_from) == (True, file)
    cfg.model = dict(type='RetinaNet')
    with pytest.raises(InputError, match='with a teacher'):
        set_resume(cfg, file)
    torch.save(dict(state_dict={'w': torch.ones(1)}), file)
    with pytest.raises(InputError, match='no training state'):
        set_resume(cfg, file)
    with pytest.raises(InputError, match='does not exist'):
        set_resume(cfg, 'none.pth')


def test_a_missing_config_is_said():
    for path in ('nothing.py', 'mmdet::retinanet/nothing.py'):
        with pytest.raises(InputError, match=r'nothing\.py'):
            load_config(path)


def test_the_student_of_a_distillation_config(rdkd_cfg, student_cfg):
    rdkd_cfg.load_from, rdkd_cfg.resume = 'other.pth', True
    plain = student_config(rdkd_cfg)
    assert not plain.load_from
    assert not plain.resume
    assert plain.filename != rdkd_cfg.filename
    assert plain.model == student_cfg.model
    assert 'TeacherClassesHook' not in str(plain.custom_hooks)
    assert rdkd_cfg.model.type == 'DetectorDistillation'
    assert student_config(student_cfg).model == student_cfg.model
    assert MODELS.build(plain.model)


def test_one_process_needs_no_preparation():
    cfg = Config(dict(launcher='none'))
    prepare_processes(cfg)
    assert 'model_wrapper_cfg' not in cfg


def test_classes_of_teacher_and_student():
    check_classes(['a', 'b'], ('a', 'b'))
    check_classes(None, ('a', 'b'))
    with pytest.raises(InputError, match='another order'):
        check_classes(['b', 'a'], ('a', 'b'))
    with pytest.raises(InputError, match=r"\['c'\].*\['b'\]"):
        check_classes(['a', 'c'], ('a', 'b'))


@pytest.mark.parametrize('there', [
    lambda folder: checkpoint(folder, 2),
    lambda folder: checkpoint(folder, 2, whole=False),
    lambda folder: (folder / 'student_best.pth').write_text('best')])
def test_resuming_from_elsewhere_does_not_write_over_a_run(cfg, tmp_path,
                                                           there):
    there(tmp_path)
    other = tmp_path / 'other'
    other.mkdir()
    file = str(checkpoint(other, 1))
    with pytest.raises(InputError, match='of another run'):
        set_resume(cfg, file)
