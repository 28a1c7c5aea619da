"""What the documents and the zoo's index say is there and agrees."""
import argparse
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import mmdet
import pytest
import yaml

from rdkd.cli import main
from rdkd.io.config import load_config

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = {path.name for path in (ROOT / 'configs').glob('*.py')}
DISTILLATIONS = sorted(name for name in CONFIGS
                       if name.startswith('rdkd') and 'mini' not in name)
DOCUMENTS = [*sorted(ROOT.glob('*.md')), *sorted((ROOT / 'docs').glob('*.md')),
             ROOT / 'data' / 'README.md']
each_document = pytest.mark.parametrize(
    'document', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
each_distillation = pytest.mark.parametrize('name', DISTILLATIONS)


@cache
def models(folder):
    """The models of a zoo by the path of their config."""
    index = yaml.safe_load((folder / 'model-index.yml').read_text())
    return {model['Config']: model for file in index['Import']
            for model in yaml.safe_load((folder / file).read_text())['Models']}


@cache
def mmdet_model(config):
    """The entry of ``mmdet::FOLDER/NAME.py`` in MMDetection's metafiles."""
    path = Path('configs', config.removeprefix('mmdet::'))
    zoo = Path(mmdet.__file__).parent / '.mim'
    entries = yaml.safe_load((zoo / path.parent / 'metafile.yml').read_text())
    entry, = [e for e in entries['Models'] if e['Config'] == str(path)]
    return entry


def tables(text):
    """Every Markdown table of a text: a list of the cells of its rows."""
    for block in re.findall(r'(?:^\|.*\n)+', text, re.M):
        head, _, *rows = [[cell.strip() for cell in line.split('|')[1:-1]]
                          for line in block.splitlines()]
        yield [head, *rows]


def documented_rows():
    """The rows of the table of configs by their first cell's name."""
    table, = [t for t in tables((ROOT / 'docs' / 'configs.md').read_text())
              if t[0][0] == 'config']
    return {row[0].strip('`'): row for row in table[1:]}


def code(text):
    """Every line of a code block and every piece of code in a sentence."""
    blocks = re.findall(r'^```\w*\n(.*?)^```', text, re.M | re.S)
    for block in blocks:
        yield from block.replace('\\\n', ' ').splitlines()
    text = re.sub(r'^```.*?^```', '', text, flags=re.M | re.S)
    yield from (' '.join(c.split()) for c in re.findall(r'`([^`]+)`', text))


def commands(text):
    """The commands among it that run a script or tests of the project."""
    lines = (re.sub(r'^(?:[A-Z_]+=\S+ )+', '', line) for line in code(text))
    ours = '|'.join(main.COMMANDS)
    return [line for line in lines if re.match(
        rf'(bash tools/|python tools/|pytest |(python -m )?rdkd ({ours})\b)',
        line)]


def flags_of(parser):
    """The flags that a parser or one of its subcommands shows."""
    for action in parser._actions:
        if action.help != argparse.SUPPRESS:
            yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from flags_of(each)


def flags(script):
    """The flags of a script and of what it passes them to."""
    text = script.read_text()
    if command := re.search(r"main\('([\w ]+)'\)", text):
        return set(flags_of(main.parser_of(command[1])))
    found = set(re.findall(r'(?<![\w-])--[\w-]+', text))
    if script.suffix == '.sh':
        for name in re.findall(r'\$(?:here|\(dirname -- "\$0"\))/(\w+\.\w+)',
                               text):
            found |= flags(script.with_name(name))
    return found


def check_command(command):
    """Assert that a command's files are there and its flags are known."""
    program, *words = shlex.split(
        command.removeprefix('python -m '), comments=True)
    if program == 'pytest':
        for word in words:
            assert '/' not in word or (ROOT / word.split('::')[0]).exists()
        return
    if program == 'rdkd':
        name = next(name for name in main.COMMANDS
                    if words[:len(name.split())] == name.split())
        known = set(flags_of(main.parser_of(name)))
    else:
        script = ROOT / words[0]
        assert script.is_file(), command
        known = flags(script)
    for word in words[1:]:
        if word.startswith('--'):
            assert word.partition('=')[0] in known, (
                f'{command}: there is no {word}')


def test_every_distillation_is_in_the_metafile_and_nothing_else():
    entries = models(ROOT)
    assert sorted(entries) == [f'configs/{name}' for name in DISTILLATIONS]
    for path, entry in entries.items():
        assert entry['Name'] == Path(path).stem
        assert entry['In Collection'] == 'RDKD'
        assert 'Weights' not in entry


def test_figures_in_the_metafile_are_marked_as_the_papers():
    results = [result for entry in models(ROOT).values()
               for result in entry.get('Results', [])]
    assert results
    for result in results:
        assert result['Reported By'] == 'paper'
        assert all(key.startswith('paper ') for key in result['Metrics'])


@each_distillation
def test_metafile_and_document_agree_with_the_config(name):
    cfg = load_config(str(ROOT / 'configs' / name))
    entry = models(ROOT)[f'configs/{name}']
    row = documented_rows()[name]
    dataset = 'FLIR' if 'flir' in name else 'COCO'
    assert entry['Metadata']['Epochs'] == cfg.train_cfg.max_epochs
    assert entry['Metadata']['Training Data'] == row[3] == dataset
    assert dataset.lower() in cfg.train_dataloader.dataset.data_root
    teacher = entry['Metadata']['Teacher']
    if teacher.startswith('mmdet::'):
        assert cfg.model.teacher == teacher
    else:
        assert Path(cfg.model.teacher).resolve() == ROOT / teacher
        assert row[2] == f'`{Path(teacher).name}`'
        assert cfg.model.teacher_ckpt == (
            f'work_dirs/{Path(teacher).stem}/epoch_24.pth')


@each_distillation
def test_figures_of_the_paper_are_the_same_in_document_and_metafile(name):
    entry, row = models(ROOT)[f'configs/{name}'], documented_rows()[name]
    in_metafile = [value for result in entry.get('Results', [])
                   for value in result['Metrics'].values()]
    assert [float(n) for n in re.findall(r'\d+\.\d+', row[4])] == in_metafile


@pytest.mark.parametrize('name', [
    name for name in DISTILLATIONS if 'flir' not in name])
def test_teachers_are_those_of_mmdetections_metafiles(name):
    cfg = load_config(str(ROOT / 'configs' / name))
    teacher = mmdet_model(cfg.model.teacher)
    assert cfg.model.teacher_ckpt == teacher['Weights']
    box_ap, = [result['Metrics']['box AP'] for result in teacher['Results']
               if result['Task'] == 'Object Detection']
    assert documented_rows()[name][2].endswith(f', {box_ap}')


def test_every_config_is_in_the_documents_table_and_nothing_else():
    rows = documented_rows()
    assert all(name.startswith('rdkd') for name in rows)
    named = re.findall(r'`(\w+\.py)`', ' '.join(map(' '.join, rows.values())))
    assert set(named) == CONFIGS


def anchors(document):
    """The anchors of a document's headings, as GitHub makes them."""
    text = re.sub(r'^```.*?^```', '', document.read_text(), flags=re.M | re.S)
    for title in re.findall(r'^#+ (.+)$', text, re.M):
        title = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', title)
        yield re.sub(r'[^\w -]', '', title.lower()).replace(' ', '-')


def dead_links(document):
    """The links of a document that lead to no file or no heading of one."""
    links = re.findall(r'\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"',
                       document.read_text())
    for link in (one or other for one, other in links):
        target, _, anchor = link.partition('#')
        path = document.parent / target if target else document
        if '://' not in link and not (path.exists() and (
                not anchor or anchor in anchors(path))):
            yield link


@each_document
def test_links_lead_somewhere(document):
    assert not list(dead_links(document))


def test_a_dead_link_is_noticed(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('# Here, and *there*\n[a](#here-and-there) [b](page.md) '
                    '[c](https://example.com/x)\n'
                    '[d](#away) [e](no.md) [f](page.md#no) <img src="g.png">')
    assert list(dead_links(page)) == ['#away', 'no.md', 'page.md#no', 'g.png']


def test_every_page_is_in_the_index():
    index = (ROOT / 'docs' / 'index.md').read_text()
    pages = {path.name for path in (ROOT / 'docs').glob('*.md')}
    assert set(re.findall(r'\]\((\w+\.md)\)', index)) == pages - {'index.md'}


def test_documents_build_as_pages_without_a_warning(tmp_path):
    pytest.importorskip('mkdocstrings_handlers.python')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir',
         str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    api = (tmp_path / 'api' / 'index.html').read_text()
    assert 'id="rdkd.algorithm.DetectorDistillation"' in api
    assert ':class:' not in api


@each_document
def test_files_that_are_named_are_there(document):
    named = re.findall(r'(?<![\w/.:-])((?:configs|docs|rdkd|tests|tools)/'
                       r'[\w./-]*\w\.(?:md|py|sh|yml))\b',
                       document.read_text())
    for path in named:
        assert (ROOT / path).is_file(), path


@each_document
def test_commands_use_flags_that_their_scripts_know(document):
    for command in commands(document.read_text()):
        check_command(command)


def test_a_flag_that_no_script_knows_is_noticed():
    check_command('bash tools/quickstart.sh --data X --torch Y')
    check_command('bash tools/dist_train.sh CONFIG 8 --resume')
    check_command('bash tools/test.sh --stack original')
    check_command('python tools/visualize.py compare A B C --count 3')
    check_command('rdkd convert flir IN OUT --copy')
    for wrong in ('bash tools/quickstart.sh --dat X',
                  'rdkd train CONFIG --epochs 3',
                  'python -m rdkd train CONFIG --status FILE',
                  'python tools/train.py CONFIG --epochs 3',
                  'python tools/no_such_tool.py', 'pytest tests/no_such.py'):
        with pytest.raises(AssertionError):
            check_command(wrong)


def test_numbers_come_from_a_command_that_is_named():
    text = (ROOT / 'docs' / 'results.md').read_text()
    head, *sections = re.split(r'^(?=## )', text, flags=re.M)
    measured = 0
    for section in sections:
        title = section.splitlines()[0]
        cells = [cell for table in tables(section) for row in table[1:]
                 for cell in row]
        if not any(re.match(r'[+-]?\d', cell) for cell in cells):
            continue
        measured += 1
        assert commands(section), f'{title}: no command'
        for command in commands(section):
            check_command(command)
        assert re.search(r'\bseeds?\b', head + section), f'{title}: no seed'
        assert re.search(r'\btorch \d+\.\d+', head + section), (
            f'{title}: no versions')
    assert measured


def test_figures_with_an_error_in_readme_are_those_of_the_results():
    figures = [set(re.findall(r'\d+\.\d+\s±\s\d+\.\d+', ' '.join(
        (ROOT / name).read_text().split())))
        for name in ('README.md', 'docs/results.md')]
    assert not figures[0] - figures[1]


def test_no_file_names_the_host_of_a_package_registry():
    hosts = [f'{name}.org' for name in ('pypi', 'files.python' + 'hosted',
                                        'anaconda')]
    if not (ROOT / '.git').exists():
        pytest.skip('not a git repository')
    files = subprocess.run(
        ['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True,
        check=True, timeout=60).stdout
    paths = [ROOT / name for name in files.split('\0') if name]
    found = [str(path.relative_to(ROOT)) for path in paths if path.is_file()
             and any(host.encode() in path.read_bytes() for host in hosts)]
    assert not found
