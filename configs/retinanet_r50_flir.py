# RetinaNet R50 on FLIR, 24 epochs: the baseline.
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_2x_coco.py',
    './_base_/flir.py'
]

model = dict(bbox_head=dict(num_classes=4))
train_dataloader = dict(dataset=_base_.flir_train)
val_dataloader = dict(dataset=_base_.flir_val)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=_base_.flir_val_file)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(max_keep_ckpts=3))
