"""Backbones by short names: no torchvision, no code from the file."""
import sys

import pytest
import torch
from mmengine.runner import CheckpointLoader
from test_checkpoint import Attack

from rdkd.errors import InputError
from rdkd.io import model_zoo


@pytest.mark.parametrize('zoo', ['torchvision', 'modelzoo', 'open-mmlab',
                                 'openmmlab'])
def test_code_in_a_backbone_of_a_zoo_never_runs(server, tmp_path, monkeypatch,
                                                zoo):
    folder, url = server
    torch.save(dict(w=torch.ones(2)), folder / 'good.pth')
    torch.save(dict(x=Attack(tmp_path / 'ran')), folder / 'bad.pth')
    monkeypatch.setitem(model_zoo.ZOOS, zoo, lambda name: dict(
        good=f'{url}/good.pth', bad=f'{url}/bad.pth'))
    load = CheckpointLoader.load_checkpoint
    assert load(f'{zoo}://good')['w'].tolist() == [1, 1]
    with pytest.raises(InputError, match='refused'):
        load(f'{zoo}://bad')
    assert not (tmp_path / 'ran').exists()
    with pytest.raises(InputError, match=f'{zoo} has no model'):
        load(f'{zoo}://none')


def test_of_a_classifier_the_backbone_is_taken(server, monkeypatch):
    folder, url = server
    torch.save(dict(state_dict={'backbone.w': torch.ones(2),
                                'head.w': torch.ones(3)}), folder / 'c.pth')
    monkeypatch.setitem(model_zoo.ZOOS, 'mmcls',
                        lambda name: dict(c=f'{url}/c.pth'))
    found = CheckpointLoader.load_checkpoint('mmcls://c')
    assert list(found['state_dict']) == ['w']


def test_torchvision_is_needed_for_unlisted_names_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchvision', None)
    assert 'resnet50' in model_zoo.torchvision_urls('resnet50')['resnet50']
    with pytest.raises(InputError, match='torchvision installed'):
        model_zoo.torchvision_urls('resnet50.imagenet1k_v2')


def test_the_names_of_the_shipped_configs_are_known():
    for name in ('detectron/resnet50_caffe', 'detectron/resnet101_caffe',
                 'resnext101_64x4d', 'mmdet/mobilenet_v2'):
        assert model_zoo.openmmlab_urls(name)[name].startswith('https://')
    for name in ('resnet50', 'resnet101'):
        assert name in model_zoo.torchvision_urls(name)
