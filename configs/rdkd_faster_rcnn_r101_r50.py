# Faster R-CNN R50 distilled from Faster R-CNN R101 on COCO 2017, 24 epochs.
# The student's config by itself is the baseline:
#   mmdet::faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py
_base_ = [
    'mmdet::faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py',
    './_base_/rdkd.py'
]

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='mmdet::faster_rcnn/faster-rcnn_r101_fpn_2x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r101_fpn_2x_coco/faster_rcnn_r101_fpn_2x_coco_bbox_mAP-0.398_20200504_210455-1d2dac9c.pth',
    inherit=True,
    # Lower than for one stage, as PKD and FGD do; not tuned on COCO.
    distiller=dict(type='RDKDDistiller', loss_weight=3.0))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
