# FCOS R50 distilled from FCOS R101 on COCO 2017, 24 epochs.
# The student's config by itself is the baseline:
#   mmdet::fcos/fcos_r50-caffe_fpn_gn-head_ms-640-800-2x_coco.py
_base_ = [
    'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_ms-640-800-2x_coco.py',
    './_base_/rdkd.py'
]

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='mmdet::fcos/fcos_r101-caffe_fpn_gn-head_ms-640-800-2x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/fcos/fcos_r101_caffe_fpn_gn-head_mstrain_640-800_2x_coco/fcos_r101_caffe_fpn_gn-head_mstrain_640-800_2x_coco-511424d6.pth',
    inherit=True,
    # As for RetinaNet; not tuned on COCO.
    distiller=dict(type='RDKDDistiller', loss_weight=6.0))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
