# RetinaNet R50 distilled from Mask R-CNN Swin-S on COCO 2017.
# Their necks share the strides 8, 16, 32 and 64.
_base_ = ['./rdkd_retinanet_r101_r50.py']

model = dict(
    teacher='mmdet::swin/mask-rcnn_swin-s-p4-w7_fpn_amp-ms-crop-3x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/swin/mask_rcnn_swin-s-p4-w7_fpn_fp16_ms-crop-3x_coco/mask_rcnn_swin-s-p4-w7_fpn_fp16_ms-crop-3x_coco_20210903_104808-b92c91f1.pth',
    # A head of another kind does not fit this neck.
    inherit=False)
