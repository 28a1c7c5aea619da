"""Importing MMRazor, in fresh interpreters: imports cannot be undone."""
import subprocess
import sys
import textwrap

import pytest
from helpers import LIMIT


def python(code, **kwargs):
    return subprocess.run([sys.executable, '-c', textwrap.dedent(code)],
                          capture_output=True, text=True, check=False,
                          timeout=LIMIT, **kwargs)


def test_mmrazor_does_not_import_by_itself_here():
    """If this fails, MMRazor imports by itself: rdkd.compat.mmrazor can go."""
    assert python('import mmrazor.models').returncode != 0


def test_distillation_code_imports_and_mmcv_keeps_its_version():
    done = python('''
        import sys
        import mmcv
        before, limit = mmcv.__version__, sys.getrecursionlimit()
        from rdkd.compat.mmrazor import import_mmrazor
        mmrazor = import_mmrazor()
        assert mmcv.__version__ == before, mmcv.__version__
        assert sys.getrecursionlimit() == limit
        assert import_mmrazor() is mmrazor
        import mmrazor.engine
        from mmrazor.models import (ChannelWiseDivergence,
                                    ConfigurableDistiller, PKDLoss,
                                    SingleTeacherDistill)
        ''')
    assert done.returncode == 0, done.stderr


def test_mmcv_keeps_its_version_when_the_import_fails():
    done = python('''
        import importlib, sys
        import mmcv
        from rdkd.compat.mmrazor import _mmcv_reported_as
        before = mmcv.__version__
        try:
            with _mmcv_reported_as('2.1.0'):
                assert mmcv.__version__ == '2.1.0'
                raise RuntimeError
        except RuntimeError:
            pass
        assert mmcv.__version__ == before
        ''')
    assert done.returncode == 0, done.stderr


def test_stand_ins_say_what_they_are_when_touched():
    done = python('''
        from rdkd.compat.mmrazor import import_mmrazor
        import_mmrazor()
        from mmrazor.models.quantizers import NativeQuantizer
        import mmrazor.models.observers as observers
        assert 'stand-in' in repr(observers)
        assert 'stand-in' in repr(NativeQuantizer)
        for touch in (NativeQuantizer, lambda: NativeQuantizer.anything):
            try:
                touch()
            except NotImplementedError as error:
                assert 'NativeQuantizer' in str(error)
                assert 'rdkd' in str(error)
            else:
                raise AssertionError('nothing was raised')
        ''')
    assert done.returncode == 0, done.stderr


@pytest.fixture
def other_mmrazor(tmp_path):
    """A release of MMRazor that imports by itself."""
    package = tmp_path / 'mmrazor'
    for folder in ('.', 'models/quantizers'):
        (package / folder).mkdir(parents=True, exist_ok=True)
    (package / '__init__.py').write_text(
        'import mmcv\nseen = mmcv.__version__\n')
    (package / 'models/__init__.py').write_text(
        'from .quantizers import real\n')
    (package / 'models/quantizers/__init__.py').write_text('real = True\n')
    info = tmp_path / 'mmrazor-1.1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(
        'Metadata-Version: 2.1\nName: mmrazor\nVersion: 1.1.0\n')
    return tmp_path


def test_a_release_that_imports_by_itself_is_left_alone(other_mmrazor):
    done = python(f'''
        import sys
        sys.path.insert(0, {str(other_mmrazor)!r})
        import importlib.util
        spec = importlib.util.find_spec('mmrazor')
        assert spec.origin.startswith({str(other_mmrazor)!r})
        sys.modules['rdkd'] = type(sys)('rdkd')
        sys.modules['rdkd'].__path__ = ['rdkd']
        from rdkd.compat.mmrazor import import_mmrazor
        import mmcv
        mmrazor = import_mmrazor()
        assert mmrazor.seen == mmcv.__version__
        assert mmrazor.models.quantizers.real is True
        ''')
    assert done.returncode == 0, done.stderr


def test_missing_mmrazor_is_named():
    done = python('''
        import importlib.metadata, sys
        sys.modules['rdkd'] = type(sys)('rdkd')
        sys.modules['rdkd'].__path__ = ['rdkd']
        import rdkd.compat.mmrazor as compat
        def absent(name):
            raise importlib.metadata.PackageNotFoundError(name)
        compat.version = absent
        compat.import_mmrazor()
        ''')
    assert 'pip install mmrazor' in done.stderr
