# RetinaNet R50 distilled from RetinaNet X101-64x4d on COCO 2017.
_base_ = ['./rdkd_retinanet_r101_r50.py']

model = dict(
    teacher='mmdet::retinanet/retinanet_x101-64x4d_fpn_2x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/retinanet/retinanet_x101_64x4d_fpn_2x_coco/retinanet_x101_64x4d_fpn_2x_coco_20200131-bca068ab.pth')
