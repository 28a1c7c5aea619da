"""What an experiment makes of the mini configs."""
import pytest

from rdkd.errors import InputError
from rdkd.experiments.setup import (
    DETECTORS,
    DataSet,
    Setup,
    mini_config,
    prepare_data,
)


@pytest.fixture
def data(mini_data):
    """The tiny data, with two of its classes."""
    data = prepare_data(mini_data)
    return DataSet(data.root, dict(
        data.train, categories=data.train['categories'][:2]), data.val)


@pytest.mark.parametrize('detector', DETECTORS)
@pytest.mark.parametrize('role', ['teacher', 'baseline', 'distilled'])
def test_a_config_is_of_the_data(role, detector, data):
    cfg = mini_config(role, Setup(detector=detector, size=96), data, seed=4)
    model = cfg.model.get('architecture', cfg.model)
    assert model.get('roi_head', model).bbox_head.num_classes == 2
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.data_root == str(data.root)
        assert dataset.metainfo.classes == tuple(
            c['name'] for c in data.train['categories'])
        assert [step.scale for step in dataset.pipeline
                if step.type == 'Resize'] == [(96, 96)]
    assert cfg.test_evaluator.ann_file == str(
        data.root / 'annotations/val.json')
    assert cfg.randomness == dict(seed=4)


def test_the_teacher_trains_longer_in_proportion(data):
    long = {role: mini_config(role, Setup(epochs=10), data, 0)
            for role in ('teacher', 'baseline')}
    assert long['baseline'].train_cfg.max_epochs == 10
    assert long['teacher'].train_cfg.max_epochs == 40
    assert long['teacher'].train_cfg.val_interval == 10
    for cfg in long.values():
        warm_up, cosine = cfg.param_scheduler
        assert cosine.T_max == cosine.end == cfg.train_cfg.max_epochs
        # Two steps an epoch: at most a tenth of the run warms up.
        assert warm_up.end == 2 * cfg.train_cfg.max_epochs // 10


def test_without_differences_the_schedule_is_the_configs(data):
    cfg, shipped = (mini_config('teacher', Setup(), data, 0),
                    Setup().shipped('teacher'))
    assert cfg.train_cfg == shipped.train_cfg
    assert cfg.param_scheduler[1] == shipped.param_scheduler[1]
    assert Setup().differences() == []
    assert Setup(epochs=2, size=64).differences() == ['epochs2', 'size64']


def test_data_that_is_no_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r'--data .*none is not a folder'):
        prepare_data(tmp_path / 'none')


def test_without_data_scenes_are_made_where_one_is(tmp_path, monkeypatch,
                                                   capsys):
    made = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('rdkd.experiments.setup.make_dataset',
                        lambda root, *rest: made.append(root))
    with pytest.raises(InputError, match=r'train\.json'):
        prepare_data(None)
    assert made == [tmp_path / 'data/mini']
    assert 'data/mini is there already' in capsys.readouterr().out
