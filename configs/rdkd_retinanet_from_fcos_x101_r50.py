# RetinaNet R50 distilled from FCOS X101-64x4d on COCO 2017.
_base_ = ['./rdkd_retinanet_r101_r50.py']

model = dict(
    teacher='mmdet::fcos/fcos_x101-64x4d_fpn_gn-head_ms-640-800-2x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/fcos/fcos_x101_64x4d_fpn_gn-head_mstrain_640-800_2x_coco/fcos_x101_64x4d_fpn_gn-head_mstrain_640-800_2x_coco-ede514a8.pth',
    # A head of another kind does not fit this neck.
    inherit=False)
