# RetinaNet R101 on FLIR, 24 epochs: the teacher.
_base_ = ['./retinanet_r50_flir.py']

model = dict(
    backbone=dict(
        depth=101,
        init_cfg=dict(
            type='Pretrained', checkpoint='torchvision://resnet101')))
