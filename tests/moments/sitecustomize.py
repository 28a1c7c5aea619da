"""Sends one signal, at a moment that is named by what Python does then.

A copy of this file lies in a folder with `moment.json` and is first on the
path of the processes that may be interrupted: Python imports it at its start.
`moment.json` names an audit event (opening, renaming, importing), a text in
what it is about, a word of the command line and which time it is.
"""
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
MOMENT = json.loads((HERE / 'moment.json').read_text())
FIRED = HERE / 'fired'
_seen = 0


def send_signal(to, number):
    if to == 'group':  # as Ctrl-C in a terminal
        os.killpg(0, number)
    else:
        os.kill(os.getppid() if to == 'parent' else os.getpid(), number)


def watch(event, args):
    global _seen
    if event != MOMENT['event'] or MOMENT['text'] not in str(args[0]):
        return
    if not any(MOMENT['of'] in word for word in sys.argv):
        return
    _seen += 1
    if _seen == MOMENT['count'] and not FIRED.exists():
        FIRED.touch()
        send_signal(MOMENT['to'], MOMENT['number'])


sys.addaudithook(watch)
