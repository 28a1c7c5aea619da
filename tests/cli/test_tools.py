"""The command line, end to end, as processes on tiny data."""
import os
import subprocess
import sys

import pytest
import torch
from helpers import (
    LIMIT,
    ROOT,
    free_port,
    metrics,
    run,
    same,
    tool,
    weights,
    write,
)
from mmengine.config import Config
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


@pytest.fixture
def config(rdkd_cfg, tmp_path):
    return write(rdkd_cfg, tmp_path / 'rdkd.py')


@pytest.mark.slow
def test_from_training_to_export(config, student_cfg,
                                                 mini_data, tmp_path):
    """One student through everything, stopped half-way and continued."""
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    said = tool('train.py', config, '--work-dir', whole)
    assert 'distill.loss_fg_s8' in said
    assert 'Average Precision' in said

    # Resuming is exact: one epoch and the next are two epochs, bit by bit.
    tool('train.py', config, '--work-dir', parts)
    assert same(weights(whole / 'epoch_2.pth'), weights(parts / 'epoch_2.pth'))
    (parts / 'epoch_2.pth').write_bytes(
        (parts / 'epoch_2.pth').read_bytes()[:-99])
    said = tool('train.py', config, '--work-dir', parts, '--resume')
    assert 'epoch_2.pth is cut off' in said
    assert same(weights(whole / 'epoch_2.pth'), weights(parts / 'epoch_2.pth'))
    state = weights(whole / 'epoch_2.pth')
    assert any(key.startswith('distiller.connectors.review') for key in state)
    assert not any('teacher' in key for key in state)

    # A second new run in the same folder is refused and changes nothing.
    before = (whole / 'epoch_2.pth').stat().st_mtime_ns
    said = tool('train.py', config, '--work-dir', whole, code=1)
    assert 'error:' in said
    assert '--resume' in said
    assert 'Traceback' not in said
    assert (whole / 'epoch_2.pth').stat().st_mtime_ns == before

    # The export loads into the plain config and scores the same.
    deployed = tmp_path / 'student.pth'
    tool('export_student.py', whole / 'epoch_2.pth', deployed)
    said = tool('export_student.py', whole / 'epoch_2.pth', deployed, code=1)
    assert 'exists already' in said
    student_cfg.test_evaluator = [student_cfg.test_evaluator]
    plain = write(student_cfg, tmp_path / 'student.py')
    prefix = tmp_path / 'results'
    for name, arguments in (
            ('distilled', (config, whole / 'epoch_2.pth')),
            ('deployed', (plain, deployed, '--outfile-prefix', prefix))):
        tool('test.py', *arguments, '--work-dir', tmp_path / name)
    assert metrics(tmp_path / 'distilled') == metrics(tmp_path / 'deployed')

    # pycocotools scores the dumped file to the same numbers.
    truth = COCO(str(mini_data / 'annotations/val.json'))
    evaluation = COCOeval(truth, truth.loadRes(f'{prefix}.bbox.json'), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert metrics(tmp_path / 'deployed')['coco/bbox_mAP'] == pytest.approx(
        evaluation.stats[0], abs=5.1e-4)


@pytest.mark.slow
def test_two_processes_train_and_evaluate(config, tmp_path):
    said = run('bash', ROOT / 'tools/dist_train.sh', config, 2, '--work-dir',
               tmp_path / 'two')
    assert 'Average Precision' in said
    assert 'distill.loss_bg_s16' in said
    said = run('bash', ROOT / 'tools/dist_test.sh', config,
               tmp_path / 'two/epoch_2.pth', 2, '--work-dir',
               tmp_path / 'test')
    assert 'Average Precision' in said


@pytest.mark.slow
def test_two_machines_train(config, tmp_path):
    """The same command on each, with its rank."""
    environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHON=sys.executable,
                       NNODES='2', MASTER_ADDR='127.0.0.1',
                       PORT=str(free_port()))
    machines = [subprocess.Popen(
        ['bash', ROOT / 'tools/dist_train.sh', config, '1', '--work-dir',
         tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=1'],
        env=dict(environment, NODE_RANK=str(rank)), cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for rank in (0, 1)]
    said = [machine.communicate(timeout=LIMIT)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert 'Average Precision' in said[0]
    assert len(list((tmp_path / 'run').glob('2*'))) == 1
    assert (tmp_path / 'run/epoch_1.pth').is_file()


@pytest.mark.slow
def test_slurm_starts_one_torchrun_on_each_node(config, tmp_path):
    """With stand-ins for Slurm's programs that run two nodes here."""
    programs = tmp_path / 'bin'
    programs.mkdir()
    (programs / 'srun').write_text(
        '#!/usr/bin/env bash\n'
        f'echo "$@" > {tmp_path}/srun\n'
        'while [ "$1" != bash ]; do shift; done\n'
        'SLURM_NODEID=0 SLURM_JOB_NODELIST=n "$@" & first=$!\n'
        'SLURM_NODEID=1 SLURM_JOB_NODELIST=n "$@" && wait $first\n')
    (programs / 'scontrol').write_text(
        '#!/usr/bin/env bash\nprintf "127.0.0.1\\nother\\n"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    done = subprocess.run(
        ['bash', ROOT / 'tools/slurm_train.sh', 'gpu', 'job', config,
         tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=1'],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=LIMIT,
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHON=sys.executable,
                 PATH=f'{programs}:{os.environ["PATH"]}', GPUS='2',
                 GPUS_PER_NODE='1', PORT=str(free_port())))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    asked = (tmp_path / 'srun').read_text()
    assert '-p gpu' in asked
    assert '--nodes=2 --ntasks=2 --ntasks-per-node=1 --gres=gpu:1' in asked
    assert (tmp_path / 'run/epoch_1.pth').is_file()


def test_learning_rate_scales_with_the_batch(config, tmp_path):
    """Of the distiller's parameters as of the student's."""
    said = tool('train.py', config, '--work-dir', tmp_path / 'run',
                '--auto-scale-lr', '--cfg-options', 'train_cfg.max_epochs=1',
                'auto_scale_lr.base_batch_size=16', 'auto_scale_lr.enable=0')
    cfg = Config.fromfile(config)
    factor = cfg.train_dataloader.batch_size / 16
    assert factor < 1
    assert 'Scaling the original LR' in said
    groups = torch.load(tmp_path / 'run/epoch_1.pth', weights_only=False)[
        'optimizer']['param_groups']
    for group in groups:
        assert group['initial_lr'] == pytest.approx(
            factor * cfg.optim_wrapper.optimizer.lr)


@pytest.mark.parametrize('name', ['dist_train.sh', 'dist_test.sh',
                                  'slurm_train.sh'])
def test_scripts_say_how_they_are_used(name):
    assert 'usage:' in run('bash', ROOT / 'tools' / name, code=2)


def test_other_classes_stop_the_run(config, teacher_files,
                                              tmp_path):
    cfg = Config.fromfile(config)
    checkpoint = torch.load(teacher_files[1], weights_only=True)
    names = checkpoint['meta']['dataset_meta']['classes']
    checkpoint['meta']['dataset_meta']['classes'] = tuple(reversed(names))
    torch.save(checkpoint, tmp_path / 'other.pth')
    cfg.model.teacher_ckpt = str(tmp_path / 'other.pth')
    said = tool('train.py', write(cfg, tmp_path / 'other.py'), '--work-dir',
                tmp_path / 'run', code=1)
    assert 'same classes in another order' in said
    assert 'Traceback' not in said
    assert 'Epoch(train)' not in said
    assert not list((tmp_path / 'run').glob('*.pth'))


@pytest.mark.parametrize('option, named', [
    ('model.teacher_ckpt=none.pth', 'none.pth does not exist'),
    ('teacher_ckpt=none.pth', 'none.pth does not exist'),
    ('model.distiller.loss_wieght=1', "did you mean 'loss_weight'"),
    ('train_dataloader.dataset.data_root=none', 'the data root none')])
def test_bad_input_is_one_message(config, tmp_path, option, named):
    said = tool('train.py', config, '--work-dir', tmp_path / 'run',
                '--cfg-options', option, code=1)
    assert named in said
    assert 'Traceback' not in said


def test_a_foreign_checkpoint_is_not_evaluated(config, teacher_files,
                                               tmp_path):
    said = tool('test.py', config, teacher_files[1], '--work-dir',
                tmp_path / 'run', code=1)
    assert 'does not fit RetinaNet' in said
    assert 'Traceback' not in said


@pytest.mark.skipif(torch.cuda.is_available(), reason='has a GPU')
def test_amp_without_a_gpu_is_said(config, tmp_path):
    said = tool('train.py', config, '--amp', '--work-dir', tmp_path / 'amp',
                code=1)
    assert '--amp needs a GPU' in said
