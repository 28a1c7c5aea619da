"""An image that was decoded once is not read again until it changes."""
import gzip
import json
import os
import threading

import pytest
from mmcv.transforms import LoadImageFromFile
from pictures import check, entry, picture

from rdkd.data import image_memory
from rdkd.data.image_memory import ImageMemory
from rdkd.errors import InputError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    for name in ('a.jpg', 'b.jpg', 'c.jpg'):
        picture().save(folder / name)
    return folder


@pytest.fixture
def read(monkeypatch):
    """The names of the images that were decoded."""
    names = []
    transform = LoadImageFromFile.transform

    def noted(self, results):
        names.append(os.path.basename(results['img_path']))
        return transform(self, results)
    monkeypatch.setattr(LoadImageFromFile, 'transform', noted)
    return names


@pytest.fixture
def again(folder, tmp_path, read):
    """Check as a new process would; which images were decoded for it."""
    def check_again(*entries, **how):
        read.clear()
        check(folder, *entries, **how,
              memory=ImageMemory(tmp_path / 'run' / 'memory.json.gz'))
        return sorted(read)
    return check_again


def test_the_second_check_reads_nothing(again):
    assert again() == ['a.jpg', 'b.jpg', 'c.jpg']
    assert again() == []


def test_without_a_file_nothing_is_kept(folder, read):
    check(folder)
    check(folder, memory=ImageMemory())
    assert len(read) == 6


def test_what_changed_is_read_again(again, folder):
    again()
    file = folder / 'b.jpg'
    stat = file.stat()
    # As long as before, and broken.
    file.write_bytes(bytes(stat.st_size))
    with pytest.raises(InputError, match=r'b\.jpg is not an image'):
        again()
    # Of the same time, and longer.
    picture().save(file)
    file.write_bytes(file.read_bytes() + b'\0')
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert again() == ['b.jpg']
    assert again() == []


def test_a_removed_file_is_noticed(again, folder):
    again()
    (folder / 'c.jpg').unlink()
    with pytest.raises(InputError, match=r'c\.jpg is missing'):
        again(*map(entry, ('a.jpg', 'b.jpg', 'c.jpg')))


def test_a_new_file_is_read_and_the_others_are_not(again, folder):
    again()
    picture().save(folder / 'd.jpg')
    assert again() == ['d.jpg']


def test_what_could_not_be_decoded_is_not_kept(again, folder, read):
    (folder / 'b.jpg').write_text('text')
    for expected in (['a.jpg', 'b.jpg', 'c.jpg'], ['b.jpg']):
        with pytest.raises(InputError, match=r'b\.jpg is not an image'):
            again()
        assert sorted(read) == expected


def test_declared_sizes_are_compared_every_time(again, read):
    again()
    with pytest.raises(InputError, match='96x64 and not 20x64'):
        again(entry('a.jpg', width=20))
    assert not read
    with pytest.raises(InputError, match='Resize'):
        again(pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(0.2, 0.2), keep_ratio=True)])
    assert not read


def test_another_decoder_reads_anew_and_forgets_nothing(again):
    again()
    pillow = [dict(type='LoadImageFromFile', imdecode_backend='pillow')]
    assert len(again(pipeline=pillow)) == 3
    assert again(pipeline=pillow) == again() == []


def test_images_of_the_same_name_in_another_folder(again, folder, tmp_path,
                                                   read):
    again()
    other = tmp_path / 'other'
    other.mkdir()
    for file in folder.iterdir():
        os.link(file, other / file.name)
    check(other, memory=ImageMemory(tmp_path / 'run' / 'memory.json.gz'))
    assert len(read) == 6


@pytest.mark.parametrize('content', [
    b'', b'text', gzip.compress(b'text'), gzip.compress(b'{"a": 1}')[:-9],
    gzip.compress(b'[]'), gzip.compress(b'{"format": 1, "images": 3}'),
    gzip.compress(b'{"format": 1, "images": {"a": 3}}'),
    gzip.compress(b'{"format": 0, "images": {}}'),
    gzip.compress(b'{"format": 1}'), gzip.compress(b'[' * 100_000),
    gzip.compress(b'\xff\xfe')], ids=range(11))
def test_a_damaged_or_foreign_file_is_not_used(again, tmp_path, content,
                                               monkeypatch):
    warnings = []
    monkeypatch.setattr(image_memory, 'print_log',
                        lambda text, *_: warnings.append(text))
    again()
    (tmp_path / 'run' / 'memory.json.gz').write_bytes(content)
    assert len(again()) == 3
    assert ['cannot be read and is not used' in w for w in warnings] == [True]
    assert again() == []


@pytest.mark.parametrize('damage', [
    lambda entry: None, lambda entry: 3, lambda entry: 'text',
    lambda entry: {}, lambda entry: [], lambda entry: entry[:3],
    lambda entry: [*entry, 1], lambda entry: [*entry[:2], 'wide', 'high']],
    ids=range(8))
def test_damaged_entries_are_not_used(again, tmp_path, damage):
    again()
    file = tmp_path / 'run' / 'memory.json.gz'
    content = json.loads(gzip.decompress(file.read_bytes()))
    section, = content['images'].values()
    section['b.jpg'] = damage(section['b.jpg'])
    file.write_bytes(gzip.compress(json.dumps(content).encode()))
    assert again() == ['b.jpg']


def test_where_nothing_can_be_written_the_check_goes_on(
        again, tmp_path, monkeypatch):
    warnings = []
    monkeypatch.setattr(image_memory, 'print_log',
                        lambda text, *_: warnings.append(text))
    (tmp_path / 'run').write_text('not a folder')
    assert len(again()) == 3
    assert ['is not kept' in w for w in warnings] == [True]
    monkeypatch.setattr(image_memory, '_INTERVAL', -1.0)  # after each image
    assert len(again()) == 3
    assert ['is not kept' in w for w in warnings] == [True, True]


def test_an_interrupted_check_keeps_what_it_has_done(again, folder,
                                                     monkeypatch):
    keep, main = ImageMemory.keep, threading.get_ident()

    def interrupted(self, section, name, stat, size):
        assert threading.get_ident() == main  # the others only read
        if name == 'c.jpg':
            raise KeyboardInterrupt
        keep(self, section, name, stat, size)
    with monkeypatch.context() as patch:
        patch.setattr(ImageMemory, 'keep', interrupted)
        with pytest.raises(KeyboardInterrupt):
            again()
    assert again() == ['c.jpg']


def test_a_killed_check_keeps_what_it_has_done(again, monkeypatch):
    """It writes while it goes on, without an end."""
    monkeypatch.setattr(image_memory, '_INTERVAL', -1.0)
    write = ImageMemory.write
    with monkeypatch.context() as patch:
        patch.setattr(
            ImageMemory, 'write', lambda self: any(
                len(s) == 2 for s in self._sections.values()) and write(self))
        again()
    assert again() == ['c.jpg']
