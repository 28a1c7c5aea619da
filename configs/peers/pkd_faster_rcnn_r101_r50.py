# PKD (Cao et al., NeurIPS 2022):
# Faster R-CNN R50 from Faster R-CNN R101 on COCO 2017.
_base_ = ['../rdkd_faster_rcnn_r101_r50.py']

model = dict(
    distiller=dict(
        _delete_=True, type='LevelDistiller', preset='pkd_two_stage'))
