# MGD (Yang et al., ECCV 2022):
# RetinaNet R50 from RetinaNet R101 on COCO 2017.
_base_ = ['../rdkd_retinanet_r101_r50.py']

model = dict(
    distiller=dict(
        _delete_=True, type='LevelDistiller', preset='mgd'))
