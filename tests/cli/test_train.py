"""``rdkd train``: its flags, beyond what the training itself does."""
import pytest
from helpers import tool, write
from mmengine.config import Config

from rdkd.cli import main
from rdkd.io.config import shipped_config


def printed(capsys, tmp_path, *words):
    """The config that ``--print`` shows."""
    main.main('train', [*map(str, words), '--print'])
    file = tmp_path / 'printed.py'
    file.write_text(capsys.readouterr().out)
    return Config.fromfile(file)


def test_print_shows_what_the_run_would_use_and_starts_nothing(
        capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = printed(capsys, tmp_path, shipped_config('rdkd_fcos_mini.py'),
                    '--auto-scale-lr', '--cfg-options',
                    'auto_scale_lr.base_batch_size=8', 'custom_hooks=[]',
                    'model.distiller.direct=0.25')
    assert shown.auto_scale_lr == dict(base_batch_size=8, enable=True)
    assert shown.model.distiller.direct == 0.25
    assert shown.work_dir == 'work_dirs/rdkd_fcos_mini'
    assert shown.launcher == 'none'
    # What every run gets, whatever its config says.
    assert {'EpochSeedHook', 'TeacherClassesHook'} <= {
        hook.type for hook in shown.custom_hooks}
    assert shown.default_hooks.checkpoint.backend_args.backend == 'atomic'
    assert [file.name for file in tmp_path.iterdir()] == ['printed.py']


def test_print_as_a_process(rdkd_cfg, tmp_path):
    config = write(rdkd_cfg, tmp_path / 'rdkd.py')
    said = tool('train.py', config, '--print')
    assert "type='EpochSeedHook'" in said
    assert 'Epoch(train)' not in said
    assert list(tmp_path.iterdir()) == [config]


def test_the_old_name_of_the_teachers_checkpoint_warns(capsys, tmp_path):
    config = shipped_config('rdkd_retinanet_mini.py')
    with pytest.warns(FutureWarning, match=r'model\.teacher_ckpt=FILE'):
        shown = printed(capsys, tmp_path, config, '--cfg-options',
                        'teacher_ckpt=mine.pth')
    assert shown.model.teacher_ckpt == 'mine.pth'


def test_a_flag_that_the_machine_does_not_allow_is_one_message(
        monkeypatch, tmp_path):
    monkeypatch.setattr('rdkd.runtime.training.get_device', lambda: 'cpu')
    with pytest.raises(SystemExit) as end:
        main.main('train', [shipped_config('rdkd_retinanet_mini.py'),
                            '--amp', '--print'])
    assert str(end.value).startswith('error: --amp needs a GPU')
