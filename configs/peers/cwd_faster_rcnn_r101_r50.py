# CWD (Shu et al., ICCV 2021):
# Faster R-CNN R50 from Faster R-CNN R101 on COCO 2017.
_base_ = ['../rdkd_faster_rcnn_r101_r50.py']

model = dict(
    distiller=dict(
        _delete_=True, type='LevelDistiller', preset='cwd'))
