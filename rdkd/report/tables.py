"""Tables of text, their header first."""
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

Rows = Sequence[Sequence[str]]


def markdown(rows: Rows) -> str:
    """A table in Markdown, figures to the right.

    Args:
        rows (Sequence[Sequence[str]]): Cells; the first row is the header.
    """
    header, *body = rows
    rule = ['---'] + ['---:'] * (len(header) - 1)
    return '\n'.join('| ' + ' | '.join(row) + ' |'
                     for row in (header, rule, *body)) + '\n'


def print_table(rows: Rows) -> None:
    """Print a table on the terminal, figures to the right.

    Args:
        rows (Sequence[Sequence[str]]): Cells; the first row is the header.
    """
    header, *body = rows
    table = Table()
    for i, name in enumerate(header):
        table.add_column(name, justify='right' if i else 'left')
    for row in body:
        table.add_row(*row)
    Console().print(table)
