# Faster R-CNN R101 on FLIR, 24 epochs: the teacher.
_base_ = ['./faster_rcnn_r50_flir.py']

model = dict(
    backbone=dict(
        depth=101,
        init_cfg=dict(
            type='Pretrained', checkpoint='torchvision://resnet101')))
