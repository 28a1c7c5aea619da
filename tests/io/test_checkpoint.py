"""Reading checkpoints: what is read, refused, preferred."""
import os
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from rdkd.errors import InputError
from rdkd.io.checkpoint import (
    detector_state_dict,
    latest_checkpoint,
    load_checkpoint_file,
)


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}', )


class GetattrAttack:
    """Reaches for a function through ``getattr``."""

    def __reduce__(self):
        return getattr, (bytes, 'fromhex')


def test_what_mmengine_saves_is_read(tmp_path):
    buffer = HistoryBuffer([1., 3.], [1, 1])
    file = tmp_path / 'a.pth'
    torch.save(dict(state_dict=dict(w=torch.ones(2)), scalar=np.float64(2.5),
                    array=np.arange(3), message_hub=dict(loss=buffer)), file)
    loaded = load_checkpoint_file(str(file))
    assert loaded['message_hub']['loss'].mean() == 2
    assert loaded['scalar'] == 2.5
    assert loaded['array'].tolist() == [0, 1, 2]


@pytest.mark.parametrize('load', [load_checkpoint_file,
                                  CheckpointLoader.load_checkpoint])
def test_code_in_a_checkpoint_never_runs(tmp_path, load):
    for attack in (Attack(tmp_path / 'ran'), GetattrAttack()):
        file = tmp_path / 'bad.pth'
        torch.save(dict(state_dict=dict(w=torch.ones(2)), x=attack), file)
        with pytest.raises(InputError, match='refused'):
            load(str(file))
    assert not (tmp_path / 'ran').exists()


def test_code_in_a_downloaded_checkpoint_never_runs(server, tmp_path):
    folder, url = server
    torch.save(dict(state_dict=dict(w=torch.ones(2))), folder / 'good.pth')
    assert 'state_dict' in load_checkpoint_file(f'{url}/good.pth')
    torch.save(dict(x=Attack(tmp_path / 'ran')), folder / 'bad.pth')
    with pytest.raises(InputError, match='refused'):
        load_checkpoint_file(f'{url}/bad.pth')
    assert not (tmp_path / 'ran').exists()
    with pytest.raises(InputError, match=f'{url}/none.pth cannot be'):
        load_checkpoint_file(f'{url}/none.pth')


def test_half_a_checkpoint_is_said(tmp_path):
    file = tmp_path / 'a.pth'
    torch.save(dict(state_dict=dict(w=torch.ones(1000))), file)
    file.write_bytes(file.read_bytes()[:1500])
    with pytest.raises(InputError, match='cut off'):
        load_checkpoint_file(str(file))


@pytest.mark.parametrize('content', [b'', b'hello', pickle.dumps([1, 2])])
def test_what_is_no_checkpoint_is_said(tmp_path, content):
    file = tmp_path / 'a.pth'
    file.write_bytes(content)
    with pytest.raises(InputError, match=str(file)):
        load_checkpoint_file(str(file))


@pytest.mark.parametrize('content, named', [
    (b'<!DOCTYPE html><html>not found</html>', r"begins with b'<!DOCTYPE "),
    (b'version https://git-lfs.github.com/spec/v1', "b'version https"),
    (b'', 'EOFError'), (pickle.dumps({1: 2}, protocol=4), 'begins with')])
def test_torch_s_advice_to_unpickle_is_not_passed_on(tmp_path, content,
                                                     named):
    file = tmp_path / 'a.pth'
    file.write_bytes(content)
    refuse(file, named)


def test_a_foreign_object_is_named_and_not_how_to_allow_it(tmp_path):
    file = tmp_path / 'a.pth'
    for value, named in ((Path('a'), 'pathlib'), (GetattrAttack(), 'bytes'),
                         (Fraction(1), 'fractions.Fraction.')):
        torch.save(dict(state_dict=dict(w=torch.ones(2)), x=value), file)
        refuse(file, named)


def refuse(file, named):
    with pytest.raises(InputError) as error:
        load_checkpoint_file(str(file))
    said = str(error.value)
    assert str(file) in said
    assert named in said
    for advice in ('weights_only', 'safe_globals', 'trust', '\n'):
        assert advice not in said


@pytest.mark.parametrize('content, named', [
    (dict(state_dict=dict(w=torch.ones(1)), meta=None),
     '`meta` of the checkpoint'),
    (dict(state_dict=dict(w=torch.ones(1)), meta=[1]), 'is a list and not'),
    (dict(state_dict=[torch.ones(1)]), '`state_dict` of the checkpoint'),
    (dict(state_dict=None, meta={}), 'is a NoneType and not a dict'),
    (dict(state_dict={0: torch.ones(1)}), 'the key 0 of the weights'),
    ({0: torch.ones(1), 1: torch.ones(1)}, 'the key 0 of the weights'),
    ([torch.ones(1)], 'is a list and not a dict'),
    (torch.ones(1), 'is a Tensor and not a dict')])
def test_what_has_not_the_form_of_a_checkpoint_is_told(tmp_path, content,
                                                       named):
    file = tmp_path / 'a.pth'
    torch.save(content, file)
    refuse(file, named)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match='does not exist'):
        load_checkpoint_file(str(tmp_path / 'none.pth'))


def test_the_student_is_taken_out_of_a_distillation_checkpoint():
    one, two = torch.ones(1), torch.zeros(1)
    state = detector_state_dict(dict(state_dict={
        'architecture.neck.w': one, 'distiller.connectors.w': two}), 'x')
    assert state == {'neck.w': one}
    assert detector_state_dict(dict(state_dict={'neck.w': one}), 'x') == {
        'neck.w': one}
    assert detector_state_dict({'neck.w': one}, 'x') == {'neck.w': one}
    with pytest.raises(InputError, match='state_dict'):
        detector_state_dict(dict(meta={}), 'x')


def test_the_newest_whole_checkpoint_is_found(tmp_path):
    assert latest_checkpoint(tmp_path) == (None, [])
    for epoch in (2, 9, 10):
        torch.save(dict(epoch=epoch), tmp_path / f'epoch_{epoch}.pth')
    (tmp_path / 'epoch_best.pth').write_text('no number')
    assert latest_checkpoint(tmp_path) == (tmp_path / 'epoch_10.pth', [])
    cut = tmp_path / 'epoch_10.pth'
    cut.write_bytes(cut.read_bytes()[:-50])
    assert latest_checkpoint(tmp_path) == (tmp_path / 'epoch_9.pth', [cut])


def test_files_of_one_name_on_two_servers_are_two(server):
    folder, url = server
    for name, value in (('a', 1.), ('b', 2.)):
        (folder / name).mkdir()
        torch.save(dict(w=torch.tensor(value)), folder / name / 'e.pth')
    for name, value in (('a', 1.), ('b', 2.)):
        assert load_checkpoint_file(f'{url}/{name}/e.pth')['w'] == value


def test_a_download_that_was_cut_off_is_not_kept(server):
    folder, url = server
    torch.save(dict(w=torch.ones(1000)), folder / 'e.pth')
    whole = (folder / 'e.pth').read_bytes()
    (folder / 'e.pth').write_bytes(whole[:1000])
    with pytest.raises(InputError, match='cut off'):
        load_checkpoint_file(f'{url}/e.pth')
    (folder / 'e.pth').write_bytes(whole)
    assert load_checkpoint_file(f'{url}/e.pth')['w'].sum() == 1000


@pytest.mark.parametrize('url', ['s3://b/a.pth', 'petrel://b/a.pth',
                                 'c:s3://b/a.pth', 'pavi://a'])
def test_stores_that_unpickle_are_refused(url):
    with pytest.raises(InputError, match='Download it'):
        load_checkpoint_file(url)
