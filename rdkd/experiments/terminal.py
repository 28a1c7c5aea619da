"""What experiments show while they run."""
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console()


def progress(to: Console = console) -> Progress:
    """A bar with the time that is left."""
    return Progress(TextColumn('  {task.description}'), BarColumn(),
                    TextColumn('{task.percentage:>3.0f}%'),
                    TimeElapsedColumn(), TextColumn('left:'),
                    TimeRemainingColumn(), console=to)
