# FCOS R50 distilled from FCOS R101 on FLIR, 24 epochs.
# The baseline is fcos_r50_flir.py; the teacher is trained with
#   python tools/train.py configs/fcos_r101_flir.py
_base_ = ['./fcos_r50_flir.py']

# A file or a URL: --cfg-options model.teacher_ckpt=FILE replaces it.
teacher_ckpt = 'work_dirs/fcos_r101_flir/epoch_24.pth'

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='{{ fileDirname }}/fcos_r101_flir.py',
    teacher_ckpt=teacher_ckpt,
    inherit=True,
    distiller=dict(
        type='RDKDDistiller',
        # As for RetinaNet; not tuned on FLIR.
        loss_weight=6.0,
        review=True,
        attention=True,
        decouple=True,
        pyramid=False,
        standardize=True,
        direct=0.5,
        fg_weight=1.0,
        bg_weight=0.5,
        box_balance=0.5,
        kv_size=16,
        reduction=4))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='TeacherClassesHook'),
    dict(type='DeployHook')
]
