"""Promise 3: the teacher sees its own normalization."""
import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint

from rdkd.errors import InputError
from rdkd.io.config import load_config
from rdkd.teacher.normalization import Normalization, renormalize

CAFFE = dict(type='DetDataPreprocessor', mean=[102.98, 115.95, 122.77],
             std=[1., 1., 1.], bgr_to_rgb=False, pad_size_divisor=32)
PYTORCH = dict(type='DetDataPreprocessor', mean=[123.675, 116.28, 103.53],
               std=[58.395, 57.12, 57.375], bgr_to_rgb=True,
               pad_size_divisor=32)
RAW = dict(type='DetDataPreprocessor', pad_size_divisor=32)


def loaded(student_cfg, mini_data):
    """Two images of different sizes, from their files."""
    dataset = copy.deepcopy(student_cfg.train_dataloader.dataset)
    pipeline = Compose(student_cfg.test_dataloader.dataset.pipeline)
    files = sorted((mini_data / dataset.data_prefix.img).iterdir())[:2]
    samples = [pipeline(dict(img_path=str(file), img_id=i, instances=[]))
               for i, file in enumerate(files)]
    samples[1]['inputs'] = samples[1]['inputs'][:, :40, :70]
    samples[1]['data_samples'].set_metainfo(dict(img_shape=(40, 70)))
    return pseudo_collate(samples)


@pytest.mark.parametrize('student', [CAFFE, PYTORCH, RAW])
@pytest.mark.parametrize('teacher', [CAFFE, PYTORCH, RAW])
def test_the_teacher_sees_what_it_would_alone(
        rdkd_cfg, student_cfg, mini_data, teacher_files, tmp_path, student,
        teacher):
    """The necks agree with those of the teacher run by itself on the files.
    """
    config = load_config(str(teacher_files[0]))
    config.model.data_preprocessor = ConfigDict(teacher)
    rdkd_cfg.model.teacher = config.model
    rdkd_cfg.model.architecture.data_preprocessor = ConfigDict(student)
    model = MODELS.build(rdkd_cfg.model).train()
    data = loaded(student_cfg, mini_data)
    alone = model.teacher.model.data_preprocessor(copy.deepcopy(data), True)
    expected = model.teacher.model.extract_feat(alone['inputs'])
    seen = []
    model.teacher.model.neck.register_forward_hook(
        lambda module, inputs, output: seen.append(output))
    ours = model.data_preprocessor(data, True)
    before = ours['inputs'].clone()
    model(**ours, mode='loss')
    for found, wanted in zip(seen[0], expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert torch.equal(ours['inputs'], before)


def test_padding_is_zero_in_either_normalisation():
    one, other = (Normalization.of(MODELS.build(p)) for p in (PYTORCH, CAFFE))
    images = torch.zeros(2, 3, 4, 6)
    found = renormalize(images, one, other, [(4, 6), (2, 3)])
    assert found[0].ne(0).all()
    assert found[1, :, :2, :3].ne(0).all()
    assert found[1].count_nonzero() == 3 * 2 * 3


def test_there_and_back_is_the_same():
    one, other = (Normalization.of(MODELS.build(p)) for p in (PYTORCH, CAFFE))
    images, sizes = torch.randn(1, 3, 4, 6), [(4, 6)]
    back = renormalize(renormalize(images, one, other, sizes), other, one,
                       sizes)
    torch.testing.assert_close(back, images, rtol=1e-5, atol=1e-5)
    assert renormalize(images, one, one, sizes) is images


def test_other_numbers_of_channels_are_refused():
    preprocessor = MODELS.build(PYTORCH)
    preprocessor.mean = torch.zeros(2, 1, 1)
    with pytest.raises(InputError, match='2 channels'):
        Normalization.of(preprocessor)


def test_grey_values_hold_for_every_channel():
    gray = MODELS.build(dict(type='ImgDataPreprocessor', mean=[10.], std=[2.]))
    assert Normalization.of(gray) == ((10., ) * 3, (2., ) * 3, False)


def test_a_swin_teacher_drops_no_path(rdkd_cfg, batch, tmp_path):
    """Drop-path off: the same image gives the same features, twice."""
    swin = dict(type='SwinTransformer', embed_dims=8, depths=[2, 2, 2, 2],
                num_heads=[1, 1, 2, 2], window_size=4, drop_path_rate=0.9)
    teacher = load_config(rdkd_cfg.model.teacher).model
    teacher.backbone = ConfigDict(swin)
    teacher.neck.in_channels = [8, 16, 32, 64]
    built = MODELS.build(teacher).train()
    images = batch['inputs']
    torch.manual_seed(0)
    one, two = (built.extract_feat(images)[0] for _ in range(2))
    assert not torch.equal(one, two)  # it would drop paths if it trained
    file = str(tmp_path / 'swin.pth')
    save_checkpoint(dict(state_dict=built.state_dict()), file)
    rdkd_cfg.model.update(teacher=teacher, teacher_ckpt=file)
    model = MODELS.build(rdkd_cfg.model).train()
    one, two = (model.teacher.model.extract_feat(images)[0] for _ in range(2))
    assert torch.equal(one, two)
