# The Faster R-CNN student of the quickstart: half-width ResNet-18, FPN 64.
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', './_base_/mini.py']

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
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(
            num_classes=len(_base_.classes),
            in_channels=64,
            fc_out_channels=256)),
    # A quarter of MMDetection's proposals: the images are small.
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=250),
        rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=250)))
