"""How like two necks are, against numpy's own coefficient, and the review."""
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint

from rdkd.analysis.correlation import correlation, correlations, reviewed


def levels(seed):
    torch.manual_seed(seed)
    return [torch.randn(3, 8, 6), torch.randn(3, 4, 3), torch.randn(3, 1, 1)]


def test_correlation_is_pearsons_over_the_positions():
    student, teacher = levels(0), levels(1)
    literal = [np.mean([
        np.corrcoef(s.flatten().numpy(), t.flatten().numpy())[0, 1]
        for s, t in zip(student[i], teacher[i], strict=True)])
        for i in (0, 1)]
    assert correlation(student, teacher) == pytest.approx(
        np.mean(literal), abs=1e-5)


def test_scale_and_shift_of_a_channel_do_not_count():
    student = levels(0)
    assert correlation(student, [5 * x + 2 for x in student]) == (
        pytest.approx(1))
    assert correlation(student, [-x for x in student]) == pytest.approx(-1)


def test_a_constant_channel_is_like_nothing():
    student = levels(0)[:1]
    other = [student[0].clone()]
    other[0][2] = 7
    assert correlation(student, other) == pytest.approx(2 / 3)


@pytest.fixture
def trained(rdkd_cfg, tmp_path):
    """A training's config and checkpoint, away from the start, and its model.

    The config states nothing but the distiller's weight.
    """
    def train(**distiller):
        rdkd_cfg.model.distiller = dict(
            dict(type='RDKDDistiller', loss_weight=3), **distiller)
        model = MODELS.build(rdkd_cfg.model)
        model.init_weights()
        torch.manual_seed(5)
        for parameter in model.distiller.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        file = str(tmp_path / 'epoch_1.pth')
        save_checkpoint(dict(state_dict=model.state_dict()), file)
        return rdkd_cfg, file, model.eval()
    return train


def images(seed):
    torch.manual_seed(seed)
    return [[torch.randn(64, side, side) for side in (8, 4, 2, 1, 1)]
            for _ in range(2)]


@pytest.mark.parametrize('settings', [
    {}, dict(attention=False), dict(preset='paper')])
def test_the_review_is_the_trainings_own(trained, settings):
    """Whatever the config leaves to the defaults."""
    cfg, file, model = trained(**settings)
    features = images(0)
    found = reviewed(cfg, file, features)
    for levels, after in zip(features, found, strict=True):
        expected = model.distiller.connectors['review'](
            [level[None] for level in levels])
        for own, level, other in zip(levels, after, expected, strict=True):
            torch.testing.assert_close(level, other[0])
            assert not torch.allclose(level, own)
    like = correlations(cfg, file, features, images(1))
    assert like.neck == pytest.approx(np.mean([
        correlation(*pair) for pair in zip(features, images(1),
                                           strict=True)]))
    assert like.reviewed == pytest.approx(np.mean([
        correlation(*pair) for pair in zip(found, images(1), strict=True)]))


@pytest.mark.parametrize('distiller', [
    dict(type='RDKDDistiller', loss_weight=3, review=False),
    dict(type='RDKDDistiller', loss_weight=0),
    dict(type='FGDDistiller', loss_weight=1),
    dict(type='LevelDistiller', preset='cwd'),
    dict(type='ConfigurableDistiller')])
def test_without_a_review_there_is_none(distiller):
    cfg = Config(dict(model=dict(distiller=distiller)))
    assert reviewed(cfg, 'none.pth', images(0)) is None


def test_a_plain_detector_has_no_review(student_cfg):
    found = correlations(student_cfg, 'none.pth', images(0), images(0))
    assert found.neck == pytest.approx(
        correlation(images(0)[0], images(0)[0]))
    assert found.reviewed is None
