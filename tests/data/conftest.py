"""Both releases of FLIR ADAS, made of synthetic images."""
import pytest
from thermal import LAYOUTS, make_thermal


@pytest.fixture(params=LAYOUTS)
def release(request):
    return request.param


@pytest.fixture
def shipped(release, tmp_path):
    """A release's folder and the good boxes in it."""
    return tmp_path / 'in', make_thermal(tmp_path / 'in', release)
