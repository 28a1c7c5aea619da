"""Packaging of rdkd; settings of the tools are in pyproject.toml."""
import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = re.search(r"__version__ = '(.+)'",
                    (here / 'rdkd/__init__.py').read_text())


def requirements(name: str) -> list[str]:
    """The lines of a file of requirements."""
    lines = (here / f'requirements/{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


# Where MMEngine and OpenMIM look for them; links to the checkout's own.
mim = ['model-index.yml', *(
    f'{folder}/{files}' for folder in ('configs', 'configs/*', 'tools',
                                       'tools/*')
    for files in ('*.py', '*.yml', '*.sh'))]

setup(
    name='rdkd',
    version=version[1] if version else '0',
    license='Apache-2.0',
    description='Review-and-decouple knowledge distillation for MMDetection',
    long_description=(here / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    packages=find_packages(include=['rdkd', 'rdkd.*']),
    package_data={
        'rdkd': [f'.mim/{files}' for files in mim],
        'rdkd.report': ['*.html'],
    },
    entry_points={'console_scripts': ['rdkd = rdkd.cli.main:main']},
    python_requires='>=3.10,<3.13',
    # MMDetection is the user's choice, or an extra's: docs/versions.md.
    install_requires=['torch>=2.6', *requirements('runtime')],
    extras_require={
        'lite': ['mmcv-lite==2.1.0', *requirements('original')],
        'compiled': ['onedl-mmcv==2.3.6', *requirements('onedl')],
    },
)
