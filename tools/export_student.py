"""Write the student of a training checkpoint for deployment.

The result loads into the student's plain MMDetection config and holds neither
the teacher nor what was learnt only to distil.
"""
import argparse
from pathlib import Path

from mmengine.runner import save_checkpoint

from rdkd.cli.common import readable_errors
from rdkd.errors import InputError
from rdkd.io.checkpoint import deployable, load_checkpoint_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint of a training run')
    parser.add_argument('out', help='file to write')
    args = parser.parse_args()
    with readable_errors():
        out = Path(args.out)
        if out.exists():
            raise InputError(f'{out} exists already. Choose another name.')
        student = deployable(load_checkpoint_file(args.checkpoint),
                             args.checkpoint)
        save_checkpoint(student, str(out),
                        backend_args=dict(backend='atomic'))
        state = student['state_dict']
        total = sum(value.numel() for value in state.values())
        print(f'{out}: {len(state)} tensors, {total / 1e6:.2f} M values')


if __name__ == '__main__':
    main()
