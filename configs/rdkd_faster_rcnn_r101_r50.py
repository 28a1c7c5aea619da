# Faster R-CNN R50 distilled from Faster R-CNN R101 on COCO 2017, 24 epochs.
# The student's config alone is the baseline:
#   mmdet::faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py
_base_ = [
    'mmdet::faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py',
    './_base_/rdkd.py'
]

# A file or a URL: --cfg-options model.teacher_ckpt=FILE replaces it.
teacher_ckpt = 'https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r101_fpn_2x_coco/faster_rcnn_r101_fpn_2x_coco_bbox_mAP-0.398_20200504_210455-1d2dac9c.pth'

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='mmdet::faster_rcnn/faster-rcnn_r101_fpn_2x_coco.py',
    teacher_ckpt=teacher_ckpt,
    inherit=True,
    distiller=dict(
        type='RDKDDistiller',
        # Lower than for one stage, as PKD and FGD do; not tuned on COCO.
        loss_weight=3.0,
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
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=3, backend_args=dict(backend='atomic')))
