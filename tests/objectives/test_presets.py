"""Named sets of arguments."""
import pytest
from mmengine.registry import MODELS

from rdkd.errors import InputError
from rdkd.objectives.level import PRESETS
from rdkd.objectives.mmrazor import build_razor_part
from rdkd.objectives.rdkd import RDKDDistiller


def test_what_is_given_beside_a_preset_wins():
    found = RDKDDistiller(1.0, preset='paper', reduction=2)
    assert found.reduction == 2
    assert found.kv_size is None
    # By its position too.
    found = RDKDDistiller(1.0, True, True, True, True, True, preset='paper')
    assert found.standardize is True


def test_one_entry_of_a_nested_argument_may_be_changed():
    found = MODELS.build(dict(type='LevelDistiller', preset='mgd',
                              loss=dict(alpha_mgd=1.0)))
    assert found.level_loss.alpha_mgd == 1.0
    assert found.connector == PRESETS['mgd']['connector']


def test_another_loss_takes_the_place_of_the_preset_s():
    found = build_razor_part(dict(
        type='LevelDistiller', preset='mgd',
        loss=dict(type='PKDLoss', loss_weight=2)))
    assert type(found.level_loss).__name__ == 'PKDLoss'


def test_an_unknown_preset_is_named():
    with pytest.raises(InputError, match=r"no preset 'papre'; there are"):
        RDKDDistiller(1.0, preset='papre')
