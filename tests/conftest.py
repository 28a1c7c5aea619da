"""Tiny real models and data that several tests share."""
import functools
import os
import threading
from contextlib import nullcontext
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from helpers import ROOT
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import save_checkpoint

import rdkd  # noqa: F401
from rdkd.data.synthetic import CLASSES, Spec, make_dataset

# Processes of the tests share two cores.
os.environ.setdefault('OMP_NUM_THREADS', '1')
torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption('--interruption-table', metavar='FILE',
                     help='where tests/test_interruption.py writes its table')


@pytest.fixture(autouse=True)
def mmdet_scope():
    init_default_scope('mmdet')


@pytest.fixture(scope='session')
def mini_data(tmp_path_factory):
    """Eight training and four validation images of 96x64 pixels."""
    root = tmp_path_factory.mktemp('data') / 'mini'
    make_dataset(root, Spec(seed=3, splits={'train': 8, 'val': 4}, width=96,
                            height=64, objects=3, empty=0.2, crowds=0.3))
    return root


def shrink(cfg, data_root):
    """Point a mini config at tiny images and make it as small as it gets."""
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.data_root = str(data_root)
        for step in dataset.pipeline:
            if step['type'] == 'Resize':
                step['scale'] = (96, 96)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.ann_file = str(data_root / 'annotations' / 'val.json')
    # An untrained model is sure of nothing: let it detect all the same.
    cfg.model.get('architecture', cfg.model).test_cfg.score_thr = 0.0
    cfg.train_cfg.max_epochs = 2
    cfg.train_cfg.val_interval = 2
    for scheduler in cfg.param_scheduler:
        scheduler['end'] = min(scheduler['end'], 2)
        if 'T_max' in scheduler:
            scheduler['T_max'] = 2
    cfg.randomness = dict(seed=0)
    cfg.default_hooks.logger.interval = 1
    return cfg


@pytest.fixture
def student_cfg(mini_data):
    """The quickstart's student, on tiny images, for two epochs."""
    return shrink(Config.fromfile(ROOT / 'configs/retinanet_mini_student.py'),
                  mini_data)


@pytest.fixture(scope='session')
def teacher_files(tmp_path_factory):
    """Config and checkpoint of a small teacher with random weights."""
    folder = tmp_path_factory.mktemp('teacher')
    cfg = Config.fromfile(ROOT / 'configs/retinanet_mini_teacher.py')
    cfg.model.backbone.update(base_channels=8, stem_channels=8)
    cfg.model.neck.in_channels = [8, 16, 32, 64]
    init_default_scope('mmdet')
    torch.manual_seed(7)
    model = MODELS.build(cfg.model)
    model.init_weights()
    config, checkpoint = folder / 'teacher.py', folder / 'teacher.pth'
    config.write_text(cfg.pretty_text)
    save_checkpoint(
        dict(state_dict=model.state_dict(),
             meta=dict(dataset_meta=dict(classes=CLASSES))), str(checkpoint))
    return config, checkpoint


@pytest.fixture
def rdkd_cfg(mini_data, teacher_files):
    """The quickstart's distillation with the small teacher."""
    cfg = shrink(Config.fromfile(ROOT / 'configs/rdkd_retinanet_mini.py'),
                 mini_data)
    cfg.model.teacher, cfg.model.teacher_ckpt = map(str, teacher_files)
    cfg.model.inherit = False  # student and baseline start alike
    return cfg


@pytest.fixture
def batch(mini_data, student_cfg):
    """Four preprocessed training images with their samples."""
    from mmengine.runner import Runner
    torch.manual_seed(0)
    loader = Runner.build_dataloader(student_cfg.train_dataloader, seed=0)
    data = next(iter(loader))
    preprocessor = MODELS.build(student_cfg.model.data_preprocessor)
    return preprocessor(data, training=True)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on this machine, and its folder."""
    folder = tmp_path / 'web'
    folder.mkdir()
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{httpd.server_port}'
        httpd.shutdown()


@pytest.fixture
def device_without_autocast(monkeypatch):
    """Autocast knows no meta device; here it is only ever switched off."""
    monkeypatch.setattr(torch, 'autocast',
                        lambda *args, **kwargs: nullcontext())
