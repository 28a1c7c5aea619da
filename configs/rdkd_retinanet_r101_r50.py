# RetinaNet R50 distilled from RetinaNet R101 on COCO 2017, 24 epochs.
# The student's config alone is the baseline:
#   mmdet::retinanet/retinanet_r50_fpn_2x_coco.py
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_2x_coco.py', './_base_/rdkd.py'
]

# A file or a URL: --cfg-options model.teacher_ckpt=FILE replaces it.
teacher_ckpt = 'https://download.openmmlab.com/mmdetection/v2.0/retinanet/retinanet_r101_fpn_2x_coco/retinanet_r101_fpn_2x_coco_20200131-5560aee8.pth'

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='mmdet::retinanet/retinanet_r101_fpn_2x_coco.py',
    teacher_ckpt=teacher_ckpt,
    inherit=True,
    distiller=dict(
        type='RDKDDistiller',
        # The sum is then about as large as PKD's; not tuned on COCO.
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
