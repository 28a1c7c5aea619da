"""A training step of Faster R-CNN at full size fits a GPU with 11 GB.

What autograd keeps for the backward pass is counted on fake tensors: they
have shapes and storages but no memory.
"""
import pytest
import torch
from helpers import ROOT
from mmdet.structures import DetDataSample
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import save_checkpoint
from mmengine.structures import InstanceData
from torch._subclasses.fake_tensor import FakeTensorMode

from rdkd.experiments.measure import SavedBytes
from rdkd.io.config import load_config, without_downloads

CONFIG = ROOT / 'configs/rdkd_faster_rcnn_r101_r50.py'
IMAGES, HEIGHT, WIDTH = 2, 800, 1344
GB = 1e9


def size(tensors):
    return sum(x.numel() * x.element_size() for x in tensors)


def samples():
    for _ in range(IMAGES):
        sample = DetDataSample(metainfo=dict(
            img_shape=(HEIGHT, WIDTH - 11), batch_input_shape=(HEIGHT, WIDTH)))
        sample.gt_instances = InstanceData(bboxes=torch.zeros(7, 4))
        yield sample


@pytest.fixture(scope='module')
def memory(tmp_path_factory):
    """Bytes of a step, by part."""
    init_default_scope('mmdet')  # before the fixture of every test
    cfg = load_config(str(CONFIG))
    teacher = load_config(cfg.model.teacher).model
    without_downloads(teacher)
    without_downloads(cfg.model)
    cfg.model.teacher_ckpt = str(tmp_path_factory.mktemp('t') / 'teacher.pth')
    save_checkpoint(dict(state_dict=MODELS.build(teacher).state_dict()),
                    cfg.model.teacher_ckpt)
    model = MODELS.build(cfg.model).train()
    student, distiller = model.student, model.distiller
    parameters = [*model.parameters(), *model.teacher.model.parameters()]
    trained = [p for p in model.parameters() if p.requires_grad]
    sampler = cfg.model.architecture.train_cfg.rcnn.sampler
    with FakeTensorMode(allow_non_fake_inputs=True):
        images = torch.zeros(IMAGES, 3, HEIGHT, WIDTH)
        with SavedBytes([images, *parameters]) as plain:
            features = student.extract_feat(images)
            proposals = student.rpn_head(features)
            regions = torch.zeros(IMAGES * sampler.num, 256, 7, 7)
            detections = student.roi_head.bbox_head(regions)
        with torch.no_grad():
            targets = model.teacher.model.extract_feat(images)
        with SavedBytes([images, *parameters]) as both:
            both.known |= plain.kept.keys()
            losses = distiller(features, targets, list(samples()))
        assert len(losses) == 10
        assert len(proposals) == len(detections) == 2
        return {
            'weights': size(parameters),
            'gradients and momentum': 2 * size(trained),
            'student': plain.bytes() + size([images, regions]),
            'teacher levels': size(targets),
            'distillation': both.bytes(),
        }


def test_a_step_of_faster_rcnn_fits_11_gb(memory):
    for part, value in memory.items():
        print(f'{part}: {value / GB:.2f} GB')
    total = sum(memory.values())
    print(f'sum: {total / GB:.2f} GB')
    # Left for what lives for a moment only: gradients of the largest maps,
    # convolution workspaces, losses of 270 thousand anchors, CUDA itself.
    assert total < 8 * GB


def test_distillation_keeps_less_than_the_student_itself(memory):
    assert memory['distillation'] < memory['student']
