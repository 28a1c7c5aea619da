"""The ``rdkd`` program, and each of its commands by itself."""
import argparse
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rdkd.cli.common import readable_errors

#: The module in this package that a command is in.  It is imported when the
#: command is called and has a docstring whose first line is the summary,
#: ``add_arguments(parser)``, ``run(args)`` and perhaps ``CONTINUE_WITH``: how
#: to go on after an interruption.
COMMANDS = {
    'train': 'train',
    'test': 'test',
    'distill': 'distill',
    'export': 'export',
    'check': 'check',
    'compare': 'compare',
    'quickstart': 'quickstart',
    'benchmark': 'benchmark',
    'visualize': 'visualize',
    'flops': 'flops',
    'convert flir': 'convert_flir',
    'synthesize': 'synthesize',
}


def module_of(command: str) -> Any:
    """Import the module of a command."""
    return import_module(f'rdkd.cli.{COMMANDS[command]}')


def parser_of(command: str, prog: str | None = None
              ) -> argparse.ArgumentParser:
    """The parser of a command's flags.

    Args:
        command (str): One of :data:`COMMANDS`.
        prog (str, optional): What usage messages call it.  Defaults to the
            name of the file that is running.
    """
    module = module_of(command)
    parser = argparse.ArgumentParser(
        prog=prog, description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    module.add_arguments(parser)
    return parser


def overview() -> argparse.ArgumentParser:
    """A parser that only knows the names of the commands."""
    width = max(map(len, COMMANDS))
    lines = [f'  {name:{width}}  {module_of(name).__doc__.splitlines()[0]}'
             for name in COMMANDS]
    parser = argparse.ArgumentParser(
        prog='rdkd', usage='rdkd COMMAND ...',
        description='Distill detectors of MMDetection.',
        epilog='\n'.join(['commands:', *lines, '',
                          'rdkd COMMAND --help says more about one.']),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('command', metavar='COMMAND', choices=list(COMMANDS),
                        help='one of those below')
    return parser


def main(command: str | None = None, argv: Sequence[str] | None = None
         ) -> None:
    """Run a command.

    Args:
        command (str, optional): One of :data:`COMMANDS`, as a file in
            ``tools/`` calls it; None to read it from the command line.
        argv (Sequence[str], optional): The command line without the program.
            Defaults to that of the process.
    """
    words, prog = list(sys.argv[1:] if argv is None else argv), None
    with readable_errors():  # imports take seconds: they are interrupted too
        if command is None:
            command = next((
                name for name in COMMANDS
                if words[:len(name.split())] == name.split()), None)
            if command is None:
                overview().parse_args(words or ['--help'])
                return
            words = words[len(command.split()):]
            prog = f'rdkd {command}'
        module, parser = module_of(command), parser_of(command, prog)
        args = parser.parse_args(words)
    # What a report names as the command to run for the same again.
    args.command_line = shlex.join(
        [*(prog.split() if prog else ('python', f'tools/{parser.prog}')),
         *words])
    try:
        with readable_errors(getattr(module, 'CONTINUE_WITH', None)):
            module.run(args)
    except argparse.ArgumentError as error:  # flags that exclude each other
        parser.error(str(error))
