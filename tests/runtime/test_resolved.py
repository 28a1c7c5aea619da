"""A config with every default of the method written out."""
import inspect
import json

import pytest
from golden import CONFIGS, FILE, plain
from mmengine.registry import MODELS

from rdkd.io.config import load_config
from rdkd.objectives.rdkd import PRESETS
from rdkd.runtime.resolved import spell_out, with_defaults

GOLDEN = json.loads(FILE.read_text())


@pytest.mark.parametrize('path', [
    path for path in CONFIGS if 'model' in GOLDEN[path.stem]],
    ids=lambda path: path.stem)
def test_shipped_configs_mean_what_they_meant(path):
    found = plain(spell_out(load_config(str(path))).model)
    for key, value in GOLDEN[path.stem]['model'].items():
        assert found[key] == value, key


def test_a_preset_is_what_it_stands_for_and_what_is_beside_it_wins():
    found = with_defaults(dict(type='RDKDDistiller', loss_weight=1.0,
                               preset='paper', kv_size=8))
    assert 'preset' not in found
    assert found == {**found, **PRESETS['paper'], 'kv_size': 8}


def test_what_is_spelled_out_builds_the_same(rdkd_cfg):
    spelled = spell_out(rdkd_cfg).model.distiller
    assert spelled.keys() - {'type'} == set(inspect.signature(
        MODELS.get('RDKDDistiller').__init__).parameters) - {
            'self', 'preset'}
    one, other = (MODELS.build(each) for each in (rdkd_cfg.model.distiller,
                                                  spelled))
    for name in ('direct', 'kv_size', 'pool_sizes', 'sides', 'reduction'):
        assert getattr(one, name) == getattr(other, name)


def test_a_plain_detector_is_left_as_it_is(student_cfg):
    assert spell_out(student_cfg) is student_cfg
