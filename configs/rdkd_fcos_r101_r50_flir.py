# FCOS R50 distilled from FCOS R101 on FLIR, 24 epochs.
# The baseline is fcos_r50_flir.py; the teacher is trained with
#   python tools/train.py configs/fcos_r101_flir.py
_base_ = ['./fcos_r50_flir.py']

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='{{ fileDirname }}/fcos_r101_flir.py',
    teacher_ckpt='work_dirs/fcos_r101_flir/epoch_24.pth',
    inherit=True,
    # As for RetinaNet; not tuned on FLIR.
    distiller=dict(type='RDKDDistiller', loss_weight=6.0))
