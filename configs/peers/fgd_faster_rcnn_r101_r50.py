# FGD (Yang et al., CVPR 2022):
# Faster R-CNN R50 from Faster R-CNN R101 on COCO 2017.
_base_ = ['../rdkd_faster_rcnn_r101_r50.py']

model = dict(
    distiller=dict(_delete_=True, type='FGDDistiller', preset='faster_rcnn'))
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
