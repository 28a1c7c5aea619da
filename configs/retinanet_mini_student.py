# The student of the quickstart: RetinaNet, half-width ResNet-18, FPN 64.
# Group norm in neck and head: from scratch and in a few hundred steps, plain
# RetinaNet differs by many mAP from seed to seed.
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', './_base_/mini.py']

norm_cfg = dict(type='GN', num_groups=8)
model = dict(
    backbone=dict(
        depth=18,
        base_channels=32,
        stem_channels=32,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None),
    neck=dict(
        in_channels=[32, 64, 128, 256], out_channels=64, norm_cfg=norm_cfg),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        in_channels=64,
        feat_channels=64,
        norm_cfg=norm_cfg))
