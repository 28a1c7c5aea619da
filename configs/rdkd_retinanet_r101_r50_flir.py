# RetinaNet R50 distilled from RetinaNet R101 on FLIR, 24 epochs.
# The baseline is retinanet_r50_flir.py; the teacher is trained with
#   python tools/train.py configs/retinanet_r101_flir.py
_base_ = ['./retinanet_r50_flir.py']

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='{{ fileDirname }}/retinanet_r101_flir.py',
    teacher_ckpt='work_dirs/retinanet_r101_flir/epoch_24.pth',
    inherit=True,
    # As on COCO; not tuned on FLIR.
    distiller=dict(type='RDKDDistiller', loss_weight=6.0))
