"""Files are written whole or not at all, and removed after the next."""
import os

import pytest
import torch
from mmengine.runner import Runner

from rdkd.io.atomic import AtomicLocalBackend
from rdkd.io.checkpoint import latest_checkpoint
from rdkd.runtime.defaults import complete


@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError(28, 'full')])
def test_what_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch,
                                                      error):
    file, backend = tmp_path / 'epoch_1.pth', AtomicLocalBackend()
    backend.put(b'old', file)

    def fails(*args):
        raise error

    monkeypatch.setattr(os, 'replace', fails)
    with pytest.raises(BaseException, match=r'full|^$'):
        backend.put(b'new and longer', file)
    assert file.read_bytes() == b'old'
    # On a full disk the half file would be what is missing next.
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_removed_when_the_next_is_there(tmp_path):
    old, new = tmp_path / 'epoch_1.pth', tmp_path / 'epoch_2.pth'
    AtomicLocalBackend().put(b'1', old)
    AtomicLocalBackend().remove(old)
    assert old.is_file()
    AtomicLocalBackend().put(b'2', new)
    assert list(tmp_path.iterdir()) == [new]
    AtomicLocalBackend().remove(new)
    AtomicLocalBackend().put(b'3', new)
    assert new.read_bytes() == b'3'


def test_a_run_that_keeps_one_checkpoint_always_has_one(
        student_cfg, tmp_path, monkeypatch):
    """Interrupted in the one moment in which mmengine has removed it."""
    student_cfg.work_dir = str(tmp_path)
    student_cfg.experiment_name = tmp_path.name
    student_cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    replace = os.replace

    def interrupted(partial, path):
        if path.name == 'epoch_2.pth':
            raise KeyboardInterrupt
        replace(partial, path)

    monkeypatch.setattr(os, 'replace', interrupted)
    with pytest.raises(KeyboardInterrupt):
        Runner.from_cfg(complete(student_cfg)).train()
    assert latest_checkpoint(tmp_path)[0] == tmp_path / 'epoch_1.pth'
    monkeypatch.undo()
    student_cfg.merge_from_dict(dict(
        resume=True, load_from=str(tmp_path / 'epoch_1.pth')))
    Runner.from_cfg(complete(student_cfg)).train()
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_2.pth']
    assert torch.load(tmp_path / 'epoch_2.pth', weights_only=False)[
        'meta']['epoch'] == 2
