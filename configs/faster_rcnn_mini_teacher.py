# The Faster R-CNN teacher of the quickstart: ResNet-18, trained longer.
_base_ = ['./faster_rcnn_mini_student.py']

model = dict(
    backbone=dict(base_channels=64, stem_channels=64),
    neck=dict(in_channels=[64, 128, 256, 512]))
max_epochs = 20
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=25),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        convert_to_iter_based=True,
        T_max=max_epochs,
        end=max_epochs,
        eta_min=0)
]
