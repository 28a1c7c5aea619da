"""The ``rdkd`` program and the files of ``tools/``, which are its commands."""
import re
import subprocess
import sys

import pytest
from helpers import LIMIT, ROOT, run

from rdkd.cli import main

TOOLS = [file for file in (ROOT / 'tools').rglob('*.py')
         if file.name not in (  # run where nothing is installed
             'setup_env.py', 'setup_steps.py', 'compile_mmcv.py')]


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        main.main(argv=['--help'])
    assert end.value.code == 0
    said = capsys.readouterr().out
    for command in main.COMMANDS:
        summary = main.module_of(command).__doc__.splitlines()[0]
        assert re.search(rf'^  {command} +{re.escape(summary)}$', said, re.M)


@pytest.mark.parametrize('command', main.COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        main.main(argv=[*command.split(), '--help'])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f'usage: rdkd {command} ')


def test_an_unknown_command_is_one_message(capsys):
    with pytest.raises(SystemExit) as end:
        main.main(argv=['fly', '--high'])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "invalid choice: 'fly'" in said
    assert 'convert flir' in said


def test_a_tool_calls_itself_by_its_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['tools/export_student.py', '--help'])
    with pytest.raises(SystemExit):
        main.main('export')
    assert capsys.readouterr().out.startswith('usage: export_student.py ')


def test_the_package_is_a_program(tmp_path):
    """Started where no checkout is, with the package on Python's path."""
    done = subprocess.run(
        [sys.executable, '-m', 'rdkd', 'synthesize', 'scenes', '--train', '2',
         '--val', '1'], cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=LIMIT, env={'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert 'scenes: made' in done.stdout
    assert len(list((tmp_path / 'scenes/images').iterdir())) == 3


def test_a_tool_finds_the_checkout_without_an_installation(tmp_path):
    """Where Python has no packages, the checkout's first import fails."""
    done = subprocess.run(
        [sys.executable, '-S', ROOT / 'tools/train.py'], cwd=tmp_path, env={},
        capture_output=True, text=True, check=False, timeout=LIMIT)
    assert f'{ROOT / "rdkd/__init__.py"}' in done.stderr


@pytest.mark.parametrize('tool', TOOLS, ids=lambda file: file.name)
def test_tools_are_files_of_a_few_lines(tool):
    assert len(tool.read_text().splitlines()) <= 15


def test_the_old_name_of_the_tests_command_is_an_alias(tmp_path):
    for name in ('test.sh', 'run_tests.sh'):
        (tmp_path / name).write_text((ROOT / 'tools' / name).read_text())
    (tmp_path / 'run_tests.sh').write_text('echo "the tests $*"')
    assert run('bash', tmp_path / 'test.sh', '-k', 'x') == 'the tests -k x\n'


def test_only_the_command_line_knows_argparse():
    rooms = [file for file in (ROOT / 'rdkd').rglob('*.py')
             if file.parent.name != 'cli']
    assert rooms
    assert not [str(file) for file in rooms
                if 'argparse' in file.read_text()]
