"""What is taken out of a checkpoint, and which one is the latest."""
import pickle

import pytest
import torch
from mmengine.logging import HistoryBuffer

from rdkd.errors import InputError
from rdkd.io.checkpoint import (
    _history_method,
    deployable,
    detector_state_dict,
    is_distilled,
    latest_checkpoint,
    load_checkpoint_file,
    load_local,
)

W = torch.ones(1)


def test_a_state_of_a_distillation_is_known_by_any_of_its_keys():
    assert is_distilled({'distiller.w': W, 'architecture.neck.w': W})
    assert not is_distilled({'neck.architecture.w': W, 'distiller.w': W})
    assert not is_distilled({})


def test_only_the_first_prefix_is_taken_off():
    state = detector_state_dict(
        {'state_dict': {'architecture.architecture.w': W}}, 'x')
    assert list(state) == ['architecture.w']


@pytest.mark.parametrize('checkpoint', [
    dict(state_dict={}), {}, dict(state_dict={'a': W, 'b': 'no tensor'})])
def test_what_holds_no_weights_is_named(checkpoint):
    with pytest.raises(InputError, match='checkpoint x holds no'):
        detector_state_dict(checkpoint, 'x')


def test_of_meta_what_says_the_classes_and_the_training_is_deployed():
    found = deployable(dict(
        state_dict={'architecture.w': W, 'distiller.w': W},
        optimizer={}, message_hub={},
        meta=dict(dataset_meta=dict(classes=('a', )), epoch=3, iter=90,
                  seed=0, cfg='long text', hostname='here')), 'x')
    assert found == dict(
        state_dict={'w': W},
        meta=dict(dataset_meta=dict(classes=('a', )), epoch=3, iter=90,
                  seed=0))
    assert deployable(dict(state_dict={'w': W}), 'x') == dict(
        state_dict={'w': W}, meta={})


def test_the_latest_of_a_run_by_iterations_is_found(tmp_path):
    for name in ('iter_900', 'iter_1000', 'iter_last', 'epoch_', 'best_1200'):
        torch.save(dict(w=W), tmp_path / f'{name}.pth')
    assert latest_checkpoint(tmp_path) == (tmp_path / 'iter_1000.pth', [])


def test_checkpoints_that_are_all_cut_off_are_named_newest_first(tmp_path):
    files = [tmp_path / f'epoch_{epoch}.pth' for epoch in (10, 9, 0)]
    for file in files:
        file.write_bytes(b'PK')
    assert latest_checkpoint(str(tmp_path)) == (None, files)


def test_a_checkpoint_that_is_no_dict_is_refused(tmp_path):
    file = tmp_path / 'list.pth'
    torch.save([W], file)
    with pytest.raises(InputError, match='is a list and not a dict'):
        load_local(str(file))


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    torch.save(dict(w=W), tmp_path / 'a.pth')
    assert load_local('~/a.pth')['w'] == 1


def test_weights_are_put_where_they_are_wanted(tmp_path):
    file = str(tmp_path / 'a.pth')
    torch.save(dict(w=W), file)
    assert load_local(file, 'meta')['w'].is_meta
    torch.save(dict(w=torch.ones(1, device='meta')), file)
    assert load_local(file)['w'].is_meta


@pytest.mark.parametrize('method', ['min', 'max', 'current', 'mean'])
def test_the_statistics_of_a_log_buffer_are_read(tmp_path, method):
    file = str(tmp_path / 'a.pth')
    buffer = HistoryBuffer([1., 3.], [1, 1])
    buffer._statistics_methods = {method: getattr(HistoryBuffer, method)}
    torch.save(dict(hub=buffer), file)
    assert load_checkpoint_file(file)['hub']._statistics_methods == {
        method: getattr(HistoryBuffer, method)}


@pytest.mark.parametrize('cls, name', [
    (HistoryBuffer, 'update'), (HistoryBuffer, '__init__'), (dict, 'max'),
    (str, 'format')])
def test_no_other_attribute_is_reached_for(cls, name):
    with pytest.raises(pickle.UnpicklingError, match='not allowed'):
        _history_method(cls, name)


def test_a_download_is_used_again_and_one_without_checksum_by_its_url(
        server, tmp_path):
    folder, url = server
    cache = tmp_path / 'hub' / 'checkpoints'
    for name in ('plain.pth', 'sum-0123abcd.pth'):
        torch.save(dict(w=W), folder / name)
        assert load_checkpoint_file(f'{url}/{name}')['w'] == 1
        (folder / name).unlink()
        assert load_checkpoint_file(f'{url}/{name}')['w'] == 1
    named = sorted(file.name for file in cache.iterdir())
    assert named[1] == 'sum-0123abcd.pth'
    assert len(named[0]) == len('plain-01234567.pth')
    assert load_checkpoint_file(
        f'{url}/sum-0123abcd.pth?version=2')['w'] == 1


def test_a_file_of_the_cache_that_is_broken_stays(server, tmp_path):
    """Only what was downloaded just now is taken away again."""
    _, url = server
    file = tmp_path / 'hub' / 'checkpoints' / 'sum-0123abcd.pth'
    file.parent.mkdir(parents=True)
    file.write_bytes(b'half')
    with pytest.raises(InputError, match='cut off'):
        load_checkpoint_file(f'{url}/{file.name}')
    assert file.read_bytes() == b'half'
