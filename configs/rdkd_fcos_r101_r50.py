# FCOS R50 distilled from FCOS R101 on COCO 2017, 24 epochs.
# The student's config alone is the baseline:
#   mmdet::fcos/fcos_r50-caffe_fpn_gn-head_ms-640-800-2x_coco.py
_base_ = [
    'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_ms-640-800-2x_coco.py',
    './_base_/rdkd.py'
]

# A file or a URL: --cfg-options model.teacher_ckpt=FILE replaces it.
teacher_ckpt = 'https://download.openmmlab.com/mmdetection/v2.0/fcos/fcos_r101_caffe_fpn_gn-head_mstrain_640-800_2x_coco/fcos_r101_caffe_fpn_gn-head_mstrain_640-800_2x_coco-511424d6.pth'

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='mmdet::fcos/fcos_r101-caffe_fpn_gn-head_ms-640-800-2x_coco.py',
    teacher_ckpt=teacher_ckpt,
    inherit=True,
    distiller=dict(
        type='RDKDDistiller',
        # As for RetinaNet; not tuned on COCO.
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
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=3, backend_args=dict(backend='atomic')))
