"""What a result was made with."""
import platform
from importlib.metadata import packages_distributions, version


def versions() -> dict[str, str]:
    """Names and versions of the packages that matter, and of Python."""
    packages = packages_distributions()  # mmcv is of mmcv or of onedl-mmcv
    return {name: version(name) for module in
            ('rdkd', 'torch', 'mmengine', 'mmcv', 'mmdet', 'mmrazor',
             'pycocotools') for name in packages.get(module, [])[:1]} | {
                 'Python': platform.python_version()}
