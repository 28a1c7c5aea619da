# PKD (Cao et al., NeurIPS 2022):
# Faster R-CNN R50 from Faster R-CNN R101 on COCO 2017.
_base_ = ['../rdkd_faster_rcnn_r101_r50.py']

model = dict(
    distiller=dict(
        _delete_=True,
        type='LevelDistiller',
        loss=dict(type='PKDLoss', loss_weight=6),
        levels=4))
