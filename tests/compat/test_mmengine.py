"""What is replaced in MMEngine, and that it can be undone."""
import pytest
from mmengine import hub
from mmengine.config import Config
from mmengine.fileio import get_file_backend
from mmengine.runner import CheckpointLoader

from rdkd.compat import mmengine
from rdkd.errors import InputError
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.io.checkpoint import load_local
from rdkd.io.config import load_config, shipped_config


@pytest.fixture
def undone():
    mmengine.uninstall()
    yield
    mmengine.install()


def test_checkpoints_are_read_with_the_allowlist():
    assert CheckpointLoader._schemes[''] is load_local
    assert isinstance(get_file_backend(backend_args=dict(backend='atomic')),
                      AtomicLocalBackend)


def test_all_of_it_can_be_undone(undone):
    loaders = CheckpointLoader._schemes.values()
    assert {loader.__module__ for loader in loaders} == {
        'mmengine.runner.checkpoint'}
    assert hub.get_config.__module__ == 'mmengine.hub.hub'
    with pytest.raises(Exception, match='atomic'):
        get_file_backend(backend_args=dict(backend='atomic'))
    with pytest.raises(ValueError, match='::'):
        hub.get_config('rdkd::rdkd_retinanet_mini.py')


def test_undone_and_installed_again_is_as_before():
    before = dict(CheckpointLoader._schemes)
    mmengine.uninstall()
    mmengine.uninstall()
    mmengine.install()
    mmengine.install()
    assert CheckpointLoader._schemes == before
    mmengine.uninstall()
    assert CheckpointLoader._schemes != before
    mmengine.install()


def test_shipped_configs_have_names(tmp_path):
    name = 'rdkd_retinanet_r101_r50.py'
    (tmp_path / 'mine.py').write_text(
        f"_base_ = ['rdkd::{name}']\nmodel = dict(inherit=False)\n")
    mine = Config.fromfile(str(tmp_path / 'mine.py'))
    expected = Config.fromfile(shipped_config(name))
    assert mine.model.distiller == expected.model.distiller
    assert mine.model.inherit is False
    # A scope would hide MMDetection's names.
    assert '_scope_' not in mine.model
    for found in (hub.get_config(f'rdkd::{name}'),
                  load_config(f'rdkd::{name}')):
        assert found.to_dict() == expected.to_dict()
    peer = load_config('rdkd::peers/cwd_retinanet_r101_r50.py')
    assert peer.model.distiller.preset == 'cwd'


def test_other_packages_configs_resolve_as_before():
    name = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
    assert hub.get_config(name).model.type == 'RetinaNet'


def test_a_config_that_is_not_shipped_is_an_error():
    with pytest.raises(InputError, match='does not exist'):
        load_config('rdkd::no_such.py')


def test_what_others_registered_stays():
    def loader(filename, map_location=None):
        return {}

    CheckpointLoader.register_scheme('yours://', loader)
    get_file_backend(backend_args=dict(backend='atomic'),
                     enable_singleton=True)
    mmengine.uninstall()
    try:
        assert CheckpointLoader._schemes['yours://'] is loader
        with pytest.raises(Exception, match='atomic'):
            get_file_backend(backend_args=dict(backend='atomic'),
                             enable_singleton=True)
    finally:
        mmengine.install()
        del CheckpointLoader._schemes['yours://']
