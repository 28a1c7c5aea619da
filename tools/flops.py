"""Count what a training step computes: ``rdkd flops``."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # no install

from rdkd.cli.main import main

if __name__ == '__main__':
    main('flops')
