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
    return Config(dict(work_dir=str(tmp_path)))


def checkpoint(folder, epoch, whole=True):
    path = folder / f'epoch_{epoch}.pth'
    torch.save(dict(epoch=epoch), path)
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


def test_only_cut_off_checkpoints_is_an_error(cfg, tmp_path):
    checkpoint(tmp_path, 4, whole=False)
    with pytest.raises(InputError, match=r'epoch_4\.pth'):
        set_resume(cfg, 'auto')


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


@pytest.mark.parametrize('resume', [None, 'auto'])
def test_a_student_of_an_earlier_run_is_not_written_over(cfg, tmp_path,
                                                         resume):
    torch.save(dict(), tmp_path / 'student_best.pth')
    with pytest.raises(InputError, match=r'student_best\.pth'):
        set_resume(cfg, resume)


def test_resuming_from_elsewhere_does_not_write_over_a_run(cfg, tmp_path):
    checkpoint(tmp_path, 2)
    other = tmp_path / 'other'
    other.mkdir()
    cfg.model = dict(type='RetinaNet')
    file = str(other / 'epoch_1.pth')
    torch.save(dict(state_dict={'w': torch.ones(1)}, optimizer={}, meta={}),
               file)
    with pytest.raises(InputError, match='of another run'):
        set_resume(cfg, file)
