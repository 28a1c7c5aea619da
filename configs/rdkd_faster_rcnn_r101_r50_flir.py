# Faster R-CNN R50 distilled from Faster R-CNN R101 on FLIR, 24 epochs.
# The baseline is faster_rcnn_r50_flir.py; the teacher is trained with
#   python tools/train.py configs/faster_rcnn_r101_flir.py
_base_ = ['./faster_rcnn_r50_flir.py']

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='{{ fileDirname }}/faster_rcnn_r101_flir.py',
    teacher_ckpt='work_dirs/faster_rcnn_r101_flir/epoch_24.pth',
    inherit=True,
    # Lower than for one stage, as PKD and FGD do; not tuned on FLIR.
    distiller=dict(type='RDKDDistiller', loss_weight=3.0))
