"""The methods that are compared: their names, weights and configs."""
import pytest
from mmengine.registry import MODELS

from rdkd.errors import InputError
from rdkd.experiments import methods

DISTILLED = [name for name in methods.METHODS if name != 'none']


def build(name, weight=0.125):
    """The distiller of a method, with all defaults."""
    return MODELS.build(methods.distillation(name, weight)['distiller'])


@pytest.mark.parametrize('name', DISTILLED)
def test_distillers_take_their_weight(name):
    made = methods.distillation(name, 0.125)
    assert '0.125' in str(made['distiller'])
    assert made['inherit'] is False
    assert made['response'] is None
    assert methods.METHODS[name].distiller(0.5) != made['distiller']


@pytest.mark.parametrize('name, expected', [
    ('none', ()), ('rdkd', (3, 1.5, 6)), ('plain', (4, 1, 16)),
    ('decouple', (4, 1, 16)), ('review', (4, 1, 16)),
    ('attention', (4, 1, 16)), ('paper', (4, 1, 16)), ('fgd', (1, 10, 100)),
    ('mgd', (2e-4, 2e-5, 2e-3)), ('pkd', (10, 5, 20)), ('cwd', (10, 3, 30))])
def test_weights_that_are_tried(name, expected):
    """The first is the default."""
    assert methods.weights(name, of_rdkd=3) == expected
    assert methods.weights(f'{name}+inherit', of_rdkd=3) == expected


def test_the_ablation_adds_one_part_at_a_time():
    """In the paper's order; the pyramid comes with the review."""
    stated = [methods.distillation(name, 1)['distiller'] for name in (
        'plain', 'decouple', 'review', 'attention', 'paper')]
    assert {each['preset'] for each in stated} == {'paper'}
    assert [{part for part in ('review', 'attention', 'decouple', 'pyramid')
             if each[part]} for each in stated] == [
        set(), {'decouple'}, {'review', 'pyramid'},
        {'review', 'pyramid', 'attention'},
        {'review', 'pyramid', 'attention', 'decouple'}]


def test_rdkd_is_the_distillers_default():
    assert methods.distillation('rdkd', 3)['distiller'] == dict(
        type='RDKDDistiller', loss_weight=3)


def test_other_methods_compare_all_levels():
    for name in ('pkd', 'mgd', 'cwd', 'fgd'):
        assert build(name).levels is None


def test_extras_are_parts_of_the_model():
    made = methods.distillation('pkd+inherit+response', 3)
    assert made['inherit'] is True
    assert made['response'] == dict(type='ResponseLoss')
    assert methods.title('pkd+inherit') == 'PKD + inheriting'
    baseline = methods.distillation('none+inherit', None)
    assert baseline['inherit'] is True
    assert baseline['distiller']['loss_weight'] == 0
    assert methods.title('none') == 'baseline'


@pytest.mark.parametrize('name, named', [
    ('fitnet', "there is no 'fitnet'"),
    ('pkd+fast', 'there is no +fast'),
    ('pkd+inherit+inherit', 'once each'),
    ('pkd+response+inherit', 'order of the alphabet')])
def test_unknown_names_are_refused(name, named):
    with pytest.raises(InputError) as error:
        methods.split(name)
    assert named in str(error.value)
