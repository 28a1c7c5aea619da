"""The methods that are compared: their names and their configs."""
import sys
from pathlib import Path

import pytest

from rdkd.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
import methods  # noqa: E402

OWN = dict(type='RDKDDistiller', loss_weight=12.0, kv_size=16, direct=0.5)


@pytest.mark.parametrize('name', [m for m in methods.METHODS if m != 'none'])
def test_distillers_take_their_weight(name):
    made = methods.distillation(name, OWN, 0.125)
    assert '0.125' in str(made['distiller'])
    assert made['inherit'] is False
    assert made['response'] is None
    assert OWN['loss_weight'] == 12


def test_the_ablation_adds_one_part_at_a_time():
    """In the paper's order; the pyramid comes with the review."""
    parts = [{key for key in ('review', 'attention', 'decouple', 'pyramid',
                              'standardize', 'direct') if
              methods.distillation(name, OWN, 1)['distiller'][key]}
             for name in ('plain', 'decouple', 'review', 'attention', 'paper')]
    assert parts == [
        set(), {'decouple'}, {'review', 'pyramid'},
        {'review', 'pyramid', 'attention'},
        {'review', 'pyramid', 'attention', 'decouple'}]


def test_rdkd_is_the_mini_configs():
    assert methods.distillation('rdkd', OWN, 3)['distiller'] == dict(
        OWN, loss_weight=3)


def test_extras_are_parts_of_the_model():
    made = methods.distillation('pkd+inherit+response', OWN, 3)
    assert made['inherit'] is True
    assert made['response'] == dict(type='ResponseLoss')
    assert methods.title('pkd+inherit') == 'PKD + inheriting'
    alone = methods.distillation('none+inherit', OWN, None)
    assert alone['inherit'] is True
    assert alone['distiller']['loss_weight'] == 0


@pytest.mark.parametrize('name, named', [
    ('fitnet', "there is no 'fitnet'"),
    ('pkd+fast', 'there is no +fast'),
    ('pkd+inherit+inherit', 'once each'),
    ('pkd+response+inherit', 'order of the alphabet')])
def test_unknown_names_are_refused(name, named):
    with pytest.raises(InputError) as error:
        methods.split(name)
    assert named in str(error.value)
