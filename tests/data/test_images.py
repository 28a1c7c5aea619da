"""Images are refused if training could not use them, and only then."""
import os

import numpy as np
import pytest
from PIL import Image
from pictures import check, entry, picture

from rdkd.data.images import load_step, smallest_size
from rdkd.errors import InputError


def refuse(folder, *entries, named, **how):
    with pytest.raises(InputError) as error:
        check(folder, *entries, **how)
    for text in named:
        assert text in str(error.value), str(error.value)


@pytest.mark.parametrize('share', [0.01, 0.5, 0.9, 0.999])
@pytest.mark.parametrize('suffix, how', [
    ('jpg', {}), ('jpg', dict(progressive=True)), ('png', {}), ('bmp', {}),
    ('webp', {}), ('tiff', {})], ids=str)
def test_a_file_that_is_cut_off_is_named(tmp_path, suffix, how, share):
    file = tmp_path / f'cut.{suffix}'
    picture().save(file, **how)
    file.write_bytes(file.read_bytes()[:int(share * file.stat().st_size)])
    refuse(tmp_path, named=[str(file), '1 of 1 images cannot be used'])


@pytest.mark.parametrize('share', [0.5, 0.9, 0.999])
@pytest.mark.parametrize('how', [{}, dict(progressive=True)], ids=str)
def test_a_cut_off_jpeg_is_named_where_the_decoder_fills_it_up(
        tmp_path, monkeypatch, how, share):
    """As OpenCV did before 4.11."""
    image, file = picture(), tmp_path / 'cut.jpg'
    monkeypatch.setattr(
        'mmcv.transforms.LoadImageFromFile.transform',
        lambda self, results: dict(results, img=np.asarray(image)))
    image.save(file, **how)
    whole = file.read_bytes()
    file.write_bytes(whole[:int(share * len(whole))])
    refuse(tmp_path, named=['cut.jpg is cut off or damaged'])
    for more in (b'', b'\0' * 100, b'\xff\xd9\0'):
        file.write_bytes(whole + more)
        check(tmp_path)


@pytest.mark.parametrize('mode, name, how', [
    ('RGB', 'a.jpg', {}), ('RGB', 'a.jpg', dict(progressive=True)),
    ('CMYK', 'a.jpg', {}), ('L', 'a.jpg', {}), ('P', 'a.png', {}),
    ('LA', 'a.png', {}), ('RGBA', 'a.png', {}), ('1', 'a.png', {}),
    ('I;16', 'a.tiff', {}), ('RGB', 'a.webp', {})], ids=str)
def test_what_training_can_decode_passes(tmp_path, mode, name, how):
    if mode == 'I;16':
        image = picture(mode='L').convert('I').convert(mode)
    else:
        image = picture(mode=mode)
    image.save(tmp_path / name, **how)
    check(tmp_path)


def test_what_one_decoder_cannot_another_may(tmp_path):
    picture(mode='F').save(tmp_path / 'float.tiff')
    refuse(tmp_path, named=['float.tiff', 'TIFF image', 'mode F'])
    check(tmp_path, pipeline=[dict(type='LoadImageFromFile',
                                   imdecode_backend='pillow')])


@pytest.mark.parametrize('make, named', [
    (lambda file: file.write_bytes(b''), 'not an image'),
    (lambda file: file.write_text('text'), 'not an image'),
    (lambda file: file.mkdir(), 'not a file'),
    (os.mkfifo, 'not a file'),  # and is not waited for
    (lambda file: file.symlink_to('nowhere'), 'missing'),
    (lambda file: file.symlink_to(file), 'unreadable')])
def test_what_is_no_image_is_named(tmp_path, make, named):
    make(tmp_path / 'odd.jpg')
    refuse(tmp_path, named=['odd.jpg', named])


@pytest.mark.parametrize('name', ['no.jpg', 'no/no.jpg'])
def test_a_missing_image_is_named(tmp_path, name):
    refuse(tmp_path, entry(name), named=[name, 'missing'])


def test_several_faults_are_counted_and_named(tmp_path):
    picture().save(tmp_path / 'good.jpg')
    (tmp_path / 'bad.jpg').write_text('text')
    refuse(tmp_path, entry('good.jpg'), entry('bad.jpg'), entry('no.jpg'),
           named=['2 of 3', 'bad.jpg is not an image', 'no.jpg is missing'])


def test_the_declared_size_is_that_of_the_image(tmp_path):
    picture().save(tmp_path / 'a.jpg')
    refuse(tmp_path, entry('a.jpg', 20, 64), named=['96x64 and not 20x64'])


def test_a_turned_image_has_the_size_that_training_sees(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by a quarter
    picture().save(tmp_path / 'a.jpg', exif=exif)
    as_stored = [dict(type='LoadImageFromFile',
                      color_type='color_ignore_orientation')]
    check(tmp_path, entry('a.jpg', 64, 96))
    check(tmp_path, entry('a.jpg', 96, 64), pipeline=as_stored)
    refuse(tmp_path, entry('a.jpg', 96, 64),
           named=['64x96 and not 96x64', 'EXIF', 'color_ignore_orientation'])
    refuse(tmp_path, entry('a.jpg', 64, 96), pipeline=as_stored,
           named=['96x64 and not 64x96'])


def test_an_image_that_resizing_leaves_nothing_of_is_named(tmp_path):
    picture(4000, 3).save(tmp_path / 'thin.png')
    thin = entry('thin.png', 4000, 3)
    check(tmp_path, thin)
    load = dict(type='LoadImageFromFile')
    resize = dict(type='Resize', scale=(256, 256), keep_ratio=True)
    refuse(tmp_path, thin, pipeline=[load, resize],
           named=['thin.png is 4000x3', 'Resize'])
    check(tmp_path, thin, pipeline=[load, dict(resize, keep_ratio=False)])
    check(tmp_path, thin, pipeline=[load, dict(resize, scale=(1333, 800))])


@pytest.mark.parametrize('step, least', [
    (dict(type='Resize', scale=(200, 100)), (200, 50)),
    (dict(type='mmdet.Resize', scale=[100, 200]), (200, 50)),
    (dict(type='Resize', scale=100), (100, 25)),
    (dict(type='RandomChoiceResize', scales=[(200, 100), (80, 40), 100]),
     (80, 20)),
    (dict(type='RandomChoiceResize', scales=(200, 100)), (200, 50)),
    (dict(type='RandomResize', scale=(400, 200), ratio_range=(0.1, 2)),
     (40, 10)),
    (dict(type='RandomResize', scale=[(400, 200), (200, 300)]), (200, 50)),
    # Not MMCV's: what it does is not known.
    (dict(type='RandomResize', scale=(4, 4), ratio_range=(1, 2),
          resize_type='Own'), (400, 100)),
    (dict(type='RandomFlip', prob=0.5), (400, 100))], ids=str)
def test_the_least_size_after_resizing(step, least):
    step = dict(step, keep_ratio=True)
    assert smallest_size((400, 100), [dict(type='Pad'), step]) == least


def test_only_the_first_resizing_counts():
    steps = [dict(type='Resize', scale=(40, 40)),
             dict(type='Resize', scale=(4, 4), keep_ratio=True)]
    assert smallest_size((400, 10), steps) == (400, 10)


def test_the_loader_is_the_pipelines():
    own = dict(type='LoadImageFromFile', color_type='grayscale')
    assert load_step([dict(type='LoadAnnotations'), own]) == own
    assert load_step([dict(own, ignore_empty=True)]) == own
    assert load_step([]) == dict(type='LoadImageFromFile')
