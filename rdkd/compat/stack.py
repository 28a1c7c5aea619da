"""Whether the packages that rdkd plugs into are there."""
from importlib.util import find_spec

#: What is imported, by what pip installs it from.
_PACKAGES = {
    'mmengine': 'onedl-mmengine',
    'mmcv': 'onedl-mmcv',
    'mmdet': 'onedl-mmdetection',
    'mmrazor': 'mmrazor',
}


def not_installed() -> str | None:
    """What to install before anything but the pure functions works.

    Only looks whether a package can be found: one that is there and cannot
    be imported says so itself.

    Returns:
        str: Names the absent packages and the command; None if none is.
    """
    absent = [name for name in _PACKAGES if find_spec(name) is None]
    if not absent:
        return None
    command = ' '.join(_PACKAGES[name] for name in absent)
    return (f'rdkd needs {", ".join(absent)}, which is not installed: run '
            f'`pip install {command}`. Until then only rdkd.functional '
            'works.')
