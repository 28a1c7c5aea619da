# RetinaNet R50 distilled from RetinaNet R101 on COCO 2017, 24 epochs.
# The student's config by itself is the baseline:
#   mmdet::retinanet/retinanet_r50_fpn_2x_coco.py
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_2x_coco.py', './_base_/rdkd.py'
]

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='mmdet::retinanet/retinanet_r101_fpn_2x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/retinanet/retinanet_r101_fpn_2x_coco/retinanet_r101_fpn_2x_coco_20200131-5560aee8.pth',
    inherit=True,
    # The sum is then about as large as PKD's; not tuned on COCO.
    distiller=dict(type='RDKDDistiller', loss_weight=6.0))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
