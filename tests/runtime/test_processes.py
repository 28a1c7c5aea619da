"""Several processes wait for the first for as long as it takes."""
import sys

import pytest
from helpers import free_port, run

CODE = '''
import sys, time
from datetime import timedelta
from pathlib import Path
import torch
from rdkd.runtime.processes import by_first_process, first_process
done = Path(sys.argv[1])
def work():
    time.sleep(2)
    assert first_process()
    done.write_text('')
for number in range(2):
    by_first_process(f'work {number}', work)
    assert done.exists()
    # The group's own timeout is shorter than the work.
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo',
                                             timeout=timedelta(seconds=1))
    torch.distributed.barrier()
    done.unlink(missing_ok=True)
    torch.distributed.barrier()
torch.distributed.destroy_process_group()
'''


@pytest.mark.slow
def test_the_others_wait_longer_than_a_group_would(tmp_path):
    script = tmp_path / 'work.py'
    script.write_text(CODE)
    run(sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2',
        f'--master_port={free_port()}', script, tmp_path / 'done')
