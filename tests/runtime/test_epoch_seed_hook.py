"""What an epoch draws depends on its place in the run and nothing else."""
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.runner import IterBasedTrainLoop

from rdkd.runtime.epoch_seed_hook import EpochSeedHook


def numbers(by_epoch=True, **place):
    """The first numbers of an epoch, of every generator."""
    loop = None if by_epoch else object.__new__(IterBasedTrainLoop)
    place = dict(seed=3, epoch=1, rank=0, iter=40) | place
    EpochSeedHook().before_train_epoch(
        SimpleNamespace(train_loop=loop, **place))
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_the_same_place_draws_the_same():
    assert numbers() == numbers()


@pytest.mark.parametrize('other', [dict(seed=4), dict(epoch=2), dict(rank=1)])
def test_another_seed_epoch_or_process_draws_other_numbers(other):
    for one, two in zip(numbers(), numbers(**other), strict=True):
        assert one != two


def test_epochs_of_neighboring_seeds_share_nothing():
    """As they would if the seed and the epoch were added."""
    assert numbers(seed=3, epoch=2) != numbers(seed=4, epoch=1)


def test_iterations_count_where_there_are_no_epochs():
    assert numbers(iter=40) == numbers(iter=80)
    assert numbers(by_epoch=False, iter=40) != numbers(by_epoch=False, iter=80)
