"""Checking images, from the flags to what is remembered."""
import shutil

import pytest
from helpers import write

from rdkd.cli import main
from rdkd.data.image_memory import FILE


@pytest.fixture
def config(student_cfg, mini_data, tmp_path, monkeypatch):
    """A config of its own copy of the data, where it is started."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(mini_data, tmp_path / 'data')
    for split in ('train', 'val', 'test'):
        student_cfg[f'{split}_dataloader'].dataset.data_root = 'data'
    for split in ('val', 'test'):
        student_cfg[f'{split}_evaluator'].ann_file = (
            'data/annotations/val.json')
    return write(student_cfg, tmp_path / 'mine.py')


def test_what_was_checked_is_known_to_the_training(config, tmp_path, capsys,
                                                   monkeypatch):
    main.main('check', [str(config)])
    assert 'no problem found' in capsys.readouterr().out
    written, = tmp_path.rglob(FILE)
    assert written.parent == tmp_path / 'work_dirs/mine'

    def decode(self, results):
        raise AssertionError('was decoded again')
    monkeypatch.setattr('mmcv.transforms.LoadImageFromFile.transform', decode)

    class Stop(Exception):
        pass

    def stop(cfg):
        raise Stop
    monkeypatch.setattr('rdkd.runtime.training.build_runner', stop)
    with pytest.raises(Stop):
        main.main('train', [str(config)])


@pytest.mark.parametrize('command', ['train', 'test'])
@pytest.mark.parametrize('flags', [[], ['--no-image-check']])
def test_the_check_of_images_can_be_left_out(config, tmp_path, monkeypatch,
                                             command, flags):
    next((tmp_path / 'data/images').glob('val*')).write_text('no image')

    class Started(Exception):
        pass

    def start(*arguments):
        raise Started
    for place in ('training.build_runner', 'testing.load_checkpoint_file'):
        monkeypatch.setattr(f'rdkd.runtime.{place}', start)
    words = [str(config), *(['some.pth'] if command == 'test' else []),
             *flags]
    if flags:
        with pytest.raises(Started):
            main.main(command, words)
        assert not list(tmp_path.rglob(FILE))
    else:
        with pytest.raises(SystemExit, match='is not an image'):
            main.main(command, words)
