"""What registered parts accept, and how they refuse the rest."""
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from mmengine.registry import MODELS

from rdkd.arguments import (
    SEEDS,
    Count,
    NotNegative,
    Part,
    Positive,
    Range,
    Share,
    checked,
    require,
)
from rdkd.errors import InputError
from rdkd.layers.adapter import ChannelAdapter
from rdkd.layers.review import ReviewFusion
from rdkd.objectives.base import Objective
from rdkd.objectives.fgd import FGDDistiller
from rdkd.objectives.level import LevelDistiller
from rdkd.objectives.rdkd import RDKDDistiller

#: All that this package registers as a part of a model, and their base.
PARTS = [Objective, *(
    cls for cls in MODELS.module_dict.values() if cls.__module__.startswith(
        ('rdkd.layers', 'rdkd.objectives', 'rdkd.algorithm')))]
ARGUMENTS = [(cls, name) for cls in PARTS
             for name in inspect.signature(cls.__init__).parameters
             if name not in ('self', 'preset')]
NAMES = [f'{cls.__name__}.{name}' for cls, name in ARGUMENTS]


def accepts(value, hint):
    try:
        require('Part', 'argument', value, hint)
    except InputError:
        return False
    return True


@pytest.mark.parametrize('hint, good, bad', [
    (bool, [True, False], [0, 1, 'off', 'yes', 'true', '', None, [], 1.0]),
    (int, [0, -3, 10**30], [True, 1.0, 2.5, '3', None, math.nan]),
    (float, [0, -3, 0.5], [True, '3', 'abc', None, math.nan, math.inf,
                           -math.inf, [1.0]]),
    (str, ['', 'abc'], [None, 3, True, ['a'], b'abc']),
    (NotNegative, [0, 12, 0.1], [-1, -1e-9, math.inf, math.nan, '1', True]),
    (Positive, [1e-9, 2], [0, 0.0, -1, math.nan]),
    (Share, [0, 1, 0.25], [-0.5, 2, 1.0001, math.nan, True]),
    (Count, [1, 1000], [0, -3, 1.5, 2.0, True, '1']),
    (Count | None, [None, 1], [0, False, 'None']),
    (Part, [dict(type='A'), dict(type='A', a=1)],
     [{}, dict(a=1), None, 'A', ['type'], 0]),
    (str | Part, ['a', dict(type='A')], [None, {}, 3]),
    (Sequence[Count], [[], [1, 2], (3, )], [[0], [1, 'a'], 'ab', 5, None]),
    (Mapping[str, Part], [{}, dict(a=dict(type='A'))],
     [dict(a=1), dict(a=dict(type='A'), b={}), [], None]),
    (Any, [None, 'x', -1], [])])
def test_an_annotation_says_what_is_allowed(hint, good, bad):
    assert all(accepts(value, hint) for value in good)
    assert [value for value in bad if accepts(value, hint)] == []


@pytest.mark.parametrize('value, hint, words', [
    ('off', bool, "is 'off'; it must be True or False."),
    (-1, NotNegative, 'is -1; it must be a number of at least 0.'),
    (0, Positive, 'is 0; it must be a number above 0.'),
    (2, Share, 'is 2; it must be a number from 0 to 1.'),
    (0, Count | None, 'it must be a whole number of at least 1 or None.'),
    ('A' * 99, Part, 'it must be a dict with `type`.'),
    ([0], Sequence[Count], 'it must be a list whose entries are each a whole '
                           'number of at least 1.')])
def test_the_message_names_part_argument_value_and_what_is_allowed(
        value, hint, words):
    with pytest.raises(InputError) as error:
        require('Part', 'argument', value, hint)
    assert str(error.value).startswith('Part: argument is ')
    assert str(error.value).endswith(words)
    assert len(str(error.value)) < 110


def test_seeds_are_those_of_numpy():
    assert [SEEDS.holds(seed) for seed in (-1, 0, 2**32 - 1, 2**32)] == [
        False, True, True, False]


def test_a_call_is_held_to_the_signature_however_it_is_written():
    class Thing:
        @checked
        def __init__(self, size: Count, on: bool = True, more=None) -> None:
            self.size = size, on, more

    assert Thing(3, more='x').size == (3, True, 'x')
    for wrong in ((0, ), (1, 'off')):
        with pytest.raises(InputError, match=r'^Thing: '):
            Thing(*wrong)
    with pytest.raises(InputError, match=r'^Thing: on is'):
        Thing(on='no', size=1)
    with pytest.raises(TypeError, match='size'):
        Thing()


@pytest.mark.parametrize('cls, name', ARGUMENTS, ids=NAMES)
def test_every_argument_of_every_part_is_checked(cls, name):
    """None takes an object that is nothing at all, or a switch's word."""
    for value in (object(), math.nan, -1):
        with pytest.raises(InputError, match=f'^There: {name} is '):
            cls.__init__.check('There', {name: value})


def test_parts_of_every_room_are_among_them():
    names = {cls.__name__ for cls in PARTS}
    assert {'ChannelAdapter', 'PositionAttention', 'DualAttention',
            'ReviewFusion', 'DecoupledPyramidLoss', 'FGDDistiller',
            'LevelDistiller', 'RDKDDistiller', 'ResponseLoss',
            'DetectorDistillation'} <= names


@pytest.mark.parametrize('cls, arguments, named', [
    (RDKDDistiller, dict(loss_weight=-1), 'RDKDDistiller: loss_weight is -1'),
    (RDKDDistiller, dict(loss_weight=1, direct=2), 'direct is 2'),
    (RDKDDistiller, dict(loss_weight=1, kv_size=0), 'kv_size is 0'),
    (RDKDDistiller, dict(loss_weight=1, preset='paper', review='off'),
     "review is 'off'"),
    (FGDDistiller, dict(temperature=0), 'temperature is 0'),
    (LevelDistiller, dict(loss=dict(type='PKDLoss', loss_weight=-1)),
     'PKDLoss: loss_weight is -1'),
    (LevelDistiller, dict(preset='pkd', loss=dict(loss_weight='a')),
     "PKDLoss: loss_weight is 'a'"),
    (LevelDistiller, dict(loss=dict(type='NoLoss')), "'NoLoss'"),
    (ChannelAdapter, dict(in_channels=[8, 0], out_channels=[8, 8]),
     'ChannelAdapter: in_channels is '),
    (ReviewFusion, dict(channels=[64, 32], attention=True, kv_size=16,
                        reduction=33),
     'reduction is 33; it must be a whole number from 1 to 32.')])
def test_what_is_out_of_range_builds_nothing(cls, arguments, named):
    with pytest.raises(InputError) as error:
        cls(**arguments)
    assert named in str(error.value)


def test_a_range_is_told_in_words():
    assert [str(Range(0)), str(Range(0, above=True)), str(Range(1, 4))] == [
        'of at least 0', 'above 0', 'from 1 to 4']
