"""Two plain configs become one distillation."""
from copy import deepcopy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint

import rdkd
from rdkd.data.synthetic import CLASSES
from rdkd.detectors.classes import class_counts
from rdkd.errors import InputError
from rdkd.io.config import load_config
from rdkd.runtime.defaults import EVERY_RUN
from rdkd.runtime.launch import student_config
from rdkd.runtime.plan import make_plan
from rdkd.runtime.resume import set_resume


@pytest.fixture
def pair(student_cfg, teacher_files, tmp_path):
    """Student config, teacher config and teacher checkpoint, as files."""
    student_cfg.pop('custom_imports')
    return (write(student_cfg, tmp_path / 'student.py'),
            *map(str, teacher_files))


def write(cfg, path):
    path.write_text(cfg.pretty_text)
    return str(path)


def two_stage(tmp_path, classes=CLASSES, **meta):
    """A small Faster R-CNN with random weights, its images caffe-style."""
    cfg = load_config('rdkd::faster_rcnn_mini_teacher.py')
    cfg.model.backbone.update(base_channels=8, stem_channels=8)
    cfg.model.neck.in_channels = [8, 16, 32, 64]
    cfg.model.data_preprocessor.update(std=[1., 1., 1.], bgr_to_rgb=False)
    cfg.model.roi_head.bbox_head.num_classes = len(classes)
    file = str(tmp_path / 'faster.pth')
    save_checkpoint(
        dict(state_dict=MODELS.build(cfg.model).state_dict(),
             meta=dict(dataset_meta=dict(classes=classes))), file)
    return write(cfg, tmp_path / 'faster.py'), file


def test_the_config_trains_the_student_as_it_was(pair, student_cfg):
    cfg = rdkd.distillation_config(*pair)
    assert student_config(cfg).model == student_cfg.model
    for key in ('train_dataloader', 'param_scheduler', 'optim_wrapper',
                'train_cfg', 'val_evaluator'):
        assert cfg[key] == student_cfg[key]
    assert [hook.type for hook in cfg.custom_hooks] == [
        *EVERY_RUN, 'TeacherClassesHook', 'DeployHook']
    assert cfg.custom_imports.imports == ['rdkd']
    assert cfg.model.teacher_ckpt == pair[2]
    assert cfg.model.inherit
    assert 'from the teacher' in make_plan(*pair).summary()


def test_the_config_is_complete(pair, batch, tmp_path):
    """Written and read again it builds and takes a step by itself."""
    cfg = rdkd.distillation_config(*pair)
    again = Config.fromfile(write(cfg, tmp_path / 'both.py'))
    assert again.to_dict() == cfg.to_dict()
    model = MODELS.build(again.model).train()
    total, log_vars = model.parse_losses(model(**batch, mode='loss'))
    total.backward()
    assert log_vars['distill.loss_fg_s8'] > 0


def test_a_pair_of_two_families(pair, tmp_path):
    plan = make_plan(pair[0], *two_stage(tmp_path))
    lines = plan.summary().splitlines()
    assert len(lines) == 5
    assert 'RetinaNet' in lines[0]
    assert 'FasterRCNN' in lines[1]
    assert '3 classes of the same names' in lines[1]
    assert '8 (64 to 64), 16 (64 to 64), 32 (64 to 64), 64 (64 to 64)' in (
        lines[2])
    assert lines[2].endswith("not compared: student's 128, teacher's 4")
    assert 'its own way' in lines[3]
    assert '2 epochs' in lines[4]
    assert 'distillation weighs 6;' in lines[4]
    plan.config.model.distiller = dict(type='LevelDistiller', preset='pkd')
    assert 'weighs' not in plan.summary()
    # A head of another kind is not what the student starts with.
    assert not plan.config.model.inherit
    assert 'from the teacher' not in lines[4]


def test_what_the_student_s_config_has_is_kept(pair, student_cfg, tmp_path,
                                               teacher_files):
    student_cfg.custom_hooks = [dict(type='EMAHook')]
    student_cfg.custom_imports = dict(imports=['json'],
                                      allow_failed_imports=True)
    student_cfg.load_from = str(teacher_files[1])
    student_cfg.default_hooks.pop('checkpoint')
    cfg = rdkd.distillation_config(
        write(student_cfg, tmp_path / 'own.py'), *pair[1:])
    assert [hook.type for hook in cfg.custom_hooks] == [
        'EMAHook', *EVERY_RUN, 'TeacherClassesHook', 'DeployHook']
    assert cfg.custom_imports.imports == ['json', 'rdkd']
    assert cfg.default_hooks.checkpoint.backend_args.backend == 'atomic'
    assert cfg.load_from is None
    assert cfg.model.student_ckpt == str(teacher_files[1])
    # What was trained already is not written over.
    assert not cfg.model.inherit


def test_pretrained_students_start_pretrained(pair, student_cfg, tmp_path):
    """MMDetection's load_from reaches the student and nothing else."""
    torch.manual_seed(5)
    weights = MODELS.build(student_cfg.model).state_dict()
    file = str(tmp_path / 'pretrained.pth')
    save_checkpoint(dict(state_dict=weights), file)
    student_cfg.load_from = file
    cfg = rdkd.distillation_config(
        write(student_cfg, tmp_path / 'own.py'), *pair[1:])
    model = MODELS.build(cfg.model)
    model.init_weights()
    for key, value in model.student.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_load_from_of_a_plain_detector_is_refused(rdkd_cfg, teacher_files,
                                                  tmp_path):
    rdkd_cfg.work_dir = str(tmp_path)
    rdkd_cfg.load_from = str(teacher_files[1])
    with pytest.raises(InputError, match=r'model\.student_ckpt'):
        set_resume(rdkd_cfg, None)


def test_random_state_is_left_alone(pair):
    state = torch.get_rng_state()
    make_plan(*pair)
    assert torch.equal(state, torch.get_rng_state())


def refused(match, *arguments):
    with pytest.raises(InputError, match=match):
        make_plan(*arguments)


def test_what_is_missing_is_said(pair):
    refused(r'none\.py', 'none.py', *pair[1:])
    refused(r'none\.py', pair[0], 'none.py', pair[2])
    refused(r'none\.pth', *pair[:2], 'none.pth')


def test_other_classes_are_refused(pair, tmp_path):
    refused(r'num_classes=\[3\].*\[2\]', pair[0],
            *two_stage(tmp_path, ('a', 'b')))
    refused('another order', pair[0],
            *two_stage(tmp_path, tuple(reversed(CLASSES))))


def test_classes_of_a_semantic_head_do_not_count():
    """HTC and Panoptic FPN also tell stuff apart."""
    for config in ('htc/htc_r50_fpn_1x_coco.py',
                   'panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py'):
        model = load_config(f'mmdet::{config}').model
        assert set(class_counts(model)) == {80}, config


@pytest.mark.parametrize('text, named', [
    ('model = dict(', 'SyntaxError'), ("_base_ = ['none.py']", 'none.py'),
    ('model = dict(a=no)', 'NameError')])
def test_a_config_that_cannot_be_read_is_said(pair, tmp_path, text, named):
    (tmp_path / 'bad.py').write_text(text)
    refused(named, str(tmp_path / 'bad.py'), *pair[1:])


def test_a_checkpoint_of_another_detector_is_refused(pair, tmp_path):
    refused('does not fit FasterRCNN', pair[0], two_stage(tmp_path)[0],
            pair[2])


def test_configs_that_are_no_plain_detectors_are_refused(
        pair, rdkd_cfg, student_cfg, tmp_path):
    refused('has a teacher already', write(rdkd_cfg, tmp_path / 'a.py'),
            *pair[1:])
    no_model = Config(dict(train_cfg=dict(max_epochs=1)))
    refused('has no `model` with a `type`',
            write(no_model, tmp_path / 'b.py'), *pair[1:])
    only_model = Config(dict(model=student_cfg.model))
    refused('train_dataloader', write(only_model, tmp_path / 'c.py'),
            *pair[1:])


def test_necks_without_a_common_level_are_refused(pair, student_cfg,
                                                  tmp_path):
    student_cfg.model.neck.update(in_channels=[32], start_level=0, num_outs=1,
                                  add_extra_convs=False)
    student_cfg.model.backbone.out_indices = (0, )
    refused(r'\[4\].*\[8, 16, 32, 64, 128\]',
            write(student_cfg, tmp_path / 'p2.py'), *pair[1:])


def test_a_student_that_initializes_itself_twice_starts_pretrained(
        teacher_files, rdkd_cfg, tmp_path):
    """DETR's own init_weights would undo what init_cfg loads."""
    detr = load_config('mmdet::detr/detr_r50_8xb2-150e_coco.py').model
    detr.backbone.init_cfg = None
    file = str(tmp_path / 'detr.pth')
    torch.manual_seed(3)
    weights = MODELS.build(deepcopy(detr)).state_dict()
    save_checkpoint(dict(state_dict=weights), file)
    rdkd_cfg.model.pop('architecture')  # not to be merged with it
    rdkd_cfg.model.update(architecture=detr, student_ckpt=file)
    model = MODELS.build(rdkd_cfg.model)
    model.init_weights()
    for key, value in model.student.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_a_preprocessor_beside_the_model_counts(pair, tmp_path):
    """mmengine's runner puts it into the model."""
    teacher = Config.fromfile(pair[1])
    teacher.data_preprocessor = teacher.model.pop('data_preprocessor')
    teacher.data_preprocessor.mean = [1., 2., 3.]
    teacher.custom_imports = dict(imports=['json'])
    student = Config.fromfile(pair[0])
    student.data_preprocessor = student.model.pop('data_preprocessor')
    names = [write(student, tmp_path / 's.py'), write(teacher,
                                                      tmp_path / 't.py')]
    cfg = rdkd.distillation_config(*names, pair[2])
    assert cfg.model.teacher.data_preprocessor.mean == [1., 2., 3.]
    assert 'data_preprocessor' in cfg.model.architecture
    assert 'data_preprocessor' not in cfg
    assert cfg.custom_imports.imports == ['json', 'rdkd']
    model = MODELS.build(cfg.model)
    assert model.teacher.normalization.mean == (1., 2., 3.)
    assert model.given.mean != model.teacher.normalization.mean
    by_name = dict(cfg.model, teacher=names[1])
    assert MODELS.build(by_name).teacher.normalization.mean == (1., 2., 3.)
