"""What the conversion of FLIR ADAS makes, leaves alone and refuses."""
import hashlib
import os
import shutil

import pytest
from thermal import IMAGES, LAYOUTS, edit, make_thermal

from rdkd.data.flir import convert
from rdkd.errors import InputError


def snapshot(root):
    """Bytes and times of everything: as root, no mode keeps one out."""
    return {path: (path.stat().st_mtime_ns, path.stat().st_mode,
                   hashlib.sha256(path.read_bytes()).hexdigest()
                   if path.is_file() else sorted(os.listdir(path)))
            for path in [root, *root.rglob('*')]}


def refuse(source, out, *named):
    """Nothing is made, and the message names what is wrong."""
    before = snapshot(source.parent)
    with pytest.raises(InputError) as error:
        convert(source, out)
    for text in named:
        assert text in str(error.value), str(error.value)
    after = snapshot(source.parent)
    # The folder of the output comes and goes.
    assert after.pop(source.parent)[1:] == before.pop(source.parent)[1:]
    assert after == before


def test_images_are_links_to_the_source(shipped, release, tmp_path):
    source, _ = shipped
    _, folder, folders = LAYOUTS[release]
    # Through a link to the end of it.
    (source / folders['val']).rename(tmp_path / 'elsewhere')
    (source / folders['val']).symlink_to(tmp_path / 'elsewhere')
    convert(os.path.relpath(source), tmp_path / 'out')
    for split, number in IMAGES.items():
        links = list((tmp_path / 'out/images' / split).iterdir())
        assert len(links) == number
        for link in links:
            assert os.readlink(link) == str(
                (source / folders[split]).resolve() / folder / link.name)
            assert link.read_bytes().startswith(b'\xff\xd8')


def test_copies_are_whole_and_writable(shipped, tmp_path):
    source, _ = shipped
    for path in [*source.rglob('*'), source]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = snapshot(source)
    convert(source, tmp_path / 'out', copy=True)
    assert snapshot(source) == before
    shutil.copytree(source, tmp_path / 'kept')
    for path in [source, *source.rglob('*')]:
        path.chmod(0o755)
    shutil.rmtree(source)
    copies = list((tmp_path / 'out/images').rglob('*.jp*g'))
    assert len(copies) == sum(IMAGES.values())
    for copy in copies:
        assert not copy.is_symlink()
        assert copy.stat().st_mode & 0o200
        original, = (p for p in (tmp_path / 'kept').rglob(copy.name)
                     if p.parent.name in ('thermal_8_bit', 'data'))
        assert copy.read_bytes() == original.read_bytes()


def test_the_input_is_not_touched(shipped, tmp_path):
    before = snapshot(shipped[0])
    convert(shipped[0], tmp_path / 'out')
    assert snapshot(shipped[0]) == before


@pytest.mark.parametrize('split', ['train', 'val'])
def test_training_and_validation_are_needed(shipped, release, tmp_path,
                                            split):
    file, _, folders = LAYOUTS[release]
    (shipped[0] / folders[split] / file).unlink()
    refuse(shipped[0], tmp_path / 'out',
           f'for {release} it lacks {folders[split]}/{file}')


def test_another_folder_is_refused(tmp_path):
    (tmp_path / 'in').mkdir()
    refuse(tmp_path / 'in', tmp_path / 'out', 'no release of FLIR ADAS',
           'train/thermal_annotations.json and val/thermal_annotations.json',
           'images_thermal_train/coco.json and images_thermal_val/coco.json')


@pytest.mark.parametrize('inside', ['', 'out', 'train/thermal_8_bit/out'])
def test_the_output_is_never_in_the_input(tmp_path, inside):
    make_thermal(tmp_path / 'in', 'v1.3')
    refuse(tmp_path / 'in', tmp_path / 'in' / inside, 'only read')


def test_the_output_is_not_in_a_linked_split(tmp_path):
    make_thermal(tmp_path / 'in', 'v1.3')
    (tmp_path / 'in/val').rename(tmp_path / 'elsewhere')
    (tmp_path / 'in/val').symlink_to(tmp_path / 'elsewhere')
    refuse(tmp_path / 'in', tmp_path / 'elsewhere/out', 'only read')


@pytest.mark.parametrize('name', [
    'out/annotations/train.json', 'out/images/mine.jpg', 'out/note',
    'out.partial/annotations', 'out'])
def test_what_is_there_is_not_overwritten(shipped, tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text('mine')
    refuse(shipped[0], tmp_path / 'out', 'Nothing was changed')


def test_an_empty_folder_is_filled(shipped, tmp_path):
    (tmp_path / 'out').mkdir()
    convert(shipped[0], tmp_path / 'out')
    assert sorted(os.listdir(tmp_path)) == ['in', 'out']


@pytest.mark.parametrize('copy, module, call', [
    (True, shutil, 'copyfile'), (False, os, 'symlink')])
@pytest.mark.parametrize('failure', [KeyboardInterrupt, OSError('disk full')])
def test_an_interrupted_run_leaves_nothing(shipped, tmp_path, monkeypatch,
                                           copy, module, call, failure):
    original, calls = getattr(module, call), []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 5:
            raise failure
        return original(*arguments)

    before = snapshot(shipped[0])
    with monkeypatch.context() as patch:
        patch.setattr(module, call, interrupted)
        with pytest.raises((KeyboardInterrupt, InputError)) as error:
            convert(shipped[0], tmp_path / 'out', copy)
    if failure is not KeyboardInterrupt:
        assert 'disk full' in str(error.value)
    assert len(calls) == 5
    assert os.listdir(tmp_path) == ['in']
    assert snapshot(shipped[0]) == before
    convert(shipped[0], tmp_path / 'out', copy)


@pytest.mark.parametrize('change, named', [
    (lambda c: c['images'][1].update(id=0), 'ids occur twice in images: 0'),
    (lambda c: c['images'][1].update(c['images'][0], id=9),
     'lists FLIR_00001.jpeg twice'),
    (lambda c: c['categories'][1].update(id=1),
     'ids occur twice in categories: 1'),
    (lambda c: c['annotations'][1].update(image_id=77),
     'annotations[1] is of image id 77'),
    (lambda c: c['annotations'][0].update(bbox=[1, 2, 3]),
     'annotations[0] has no valid bbox'),
    (lambda c: c['annotations'][0].update(bbox=[1, 2, 3, '4']),
     'annotations[0] has no valid bbox'),
    (lambda c: c['annotations'][0].update(iscrowd='0'),
     "annotations[0] has iscrowd='0'"),
    (lambda c: c['images'][1].update(file_name='../../../etc/passwd'),
     'named outside of its folder: ../../../etc/passwd'),
    (lambda c: c['images'][1].update(file_name='/etc/passwd'),
     'named outside of its folder: /etc/passwd'),
    (lambda c: c['images'][2].pop('width'),
     'images[2] (id 2) has no valid width'),
    (lambda c: c.pop('images'), "has no list 'images'"),
    (lambda c: [image.update(file_name='x') for image in c['images']],
     '0 of its 4 images are there'),
    (lambda c: [k.update(name=f'k{k["id"]}') for k in c['categories']],
     'its categories are: k1, k2')])
def test_broken_files_are_named(tmp_path, change, named):
    make_thermal(tmp_path / 'in', 'v1.3')
    edit(tmp_path / 'in', 'v1.3', change)
    refuse(tmp_path / 'in', tmp_path / 'out', named,
           'in/train/thermal_annotations.json')


def test_a_cut_off_file_is_named(tmp_path):
    make_thermal(tmp_path / 'in', 'v2')
    file = tmp_path / 'in/images_thermal_val/coco.json'
    file.write_bytes(file.read_bytes()[:-9])
    refuse(tmp_path / 'in', tmp_path / 'out', str(file), 'not JSON', 'unpack')
