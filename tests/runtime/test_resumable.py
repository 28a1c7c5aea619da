"""How a checkpoint differs from what it is to be continued with."""
import pytest
import torch

from rdkd.runtime.resumable import (
    changed_groups,
    changed_settings,
    changed_tensors,
)

CONFIG = """
data = 1
model = dict(
    distiller=dict(type='A', weights=[1, (2.0, None)], pre=-1e-3),
    other={'a.b': True})
optim_wrapper = dict(optimizer=dict(lr=0.1))
"""


def test_settings_are_told_by_their_full_name():
    assert changed_settings(CONFIG, CONFIG) == []
    now = CONFIG.replace('data = 1', 'data = 2').replace(
        'pre=-1e-3', 'post=3').replace('True', 'False').replace('0.1', '0.2')
    assert sorted(changed_settings(CONFIG, now)) == [
        'model.distiller.post was not set and is 3',
        'model.distiller.pre was -0.001 and is not set',
        'model.other.a.b was True and is False',
        'optim_wrapper.optimizer.lr was 0.1 and is 0.2']


@pytest.mark.parametrize('text', [
    '', 'model = dict(a=', 'model = dict(a=print(1))', 'model = dict(**b)',
    'model = dict([(1, 2)])', 'model = ' + '-' * 9999 + '1'])
def test_what_is_no_plain_config_tells_nothing(text):
    assert changed_settings(text, CONFIG) == []


def test_code_is_not_run(tmp_path):
    code = f'import os\nmodel = os.mkdir({str(tmp_path / "ran")!r})'
    assert changed_settings(code, CONFIG) == []
    assert not (tmp_path / 'ran').exists()


def test_tensors_are_compared_by_name_and_shape():
    one = dict(a=torch.ones(2), b=torch.ones(3, 1))
    assert changed_tensors({'module.a': one['a'], 'b': one['b']}, one) == []
    assert changed_tensors(one, dict(b=torch.ones(3), c=torch.ones(1))) == [
        'only the model has: c', 'only the checkpoint has: a',
        'of another shape: b ((3, 1) in the checkpoint, (3,) in the model)']


def test_groups_are_compared_by_size_and_settings():
    groups = [dict(params=[0, 1], lr=1), dict(params=[2], lr=2)]
    assert changed_groups(groups, groups) == []
    assert changed_groups(groups, [dict(params=[0, 1, 2])]) == [
        'the optimizer has 3 parameters in 1 groups, the checkpoint\'s 3 in '
        '2']
    assert changed_groups(groups, [dict(params=[0, 1], lr=1, betas=1),
                                   dict(params=[2], lr=2)]) == [
        'the checkpoint\'s optimizer has no setting betas']
    # What only the checkpoint has does no harm.
    assert changed_groups(groups, [dict(params=[0, 1]), dict(params=[2])]
                          ) == []
