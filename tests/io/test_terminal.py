"""What long work shows: lines where no terminal is, else a bar."""
import io
import re
import time

import pytest
from rich.console import Console

from rdkd.io import terminal


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(terminal, 'INTERVAL', .1)


def test_lines_say_what_how_far_and_how_long(capsys):
    for _ in terminal.track(range(4), 'making [scenes]'):
        time.sleep(.15)
    *lines, last = capsys.readouterr().out.splitlines()
    assert re.search(r'^  making \[scenes\]: (25|50|75)%, 0:00:0\d so far, '
                     r'about 0:00:0\d left$', '\n'.join(lines), re.M)
    assert re.fullmatch(r'  making \[scenes\]: done in 0:00:0\d', last)


def test_work_of_unknown_length_says_that_it_goes_on(capsys):
    with terminal.busy('evaluation'):
        time.sleep(.15)
    assert capsys.readouterr().out.startswith(
        '  evaluation: 0:00:00 so far\n')


def test_short_work_that_leaves_nothing_says_nothing(capsys):
    assert list(terminal.track(iter('ab'), 'looking', 2, transient=True)) == [
        'a', 'b']
    assert capsys.readouterr().out == ''


def test_lines_end_when_the_work_fails(capsys):
    with pytest.raises(ValueError), terminal.busy('evaluation'):
        raise ValueError
    time.sleep(.2)
    assert capsys.readouterr().out == ''


def test_a_terminal_has_a_bar():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    with terminal.progress(console) as bars:
        list(bars.track(range(3), description='training'))
    assert '━━' in screen.getvalue()
    assert '100%' in screen.getvalue()
    assert 'so far' not in screen.getvalue()
