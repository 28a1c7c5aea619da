# FGD (Yang et al., CVPR 2022):
# Faster R-CNN R50 from Faster R-CNN R101 on COCO 2017.
_base_ = ['../rdkd_faster_rcnn_r101_r50.py']

model = dict(
    distiller=dict(
        _delete_=True,
        type='FGDDistiller',
        alpha=5e-5,
        beta=2.5e-5,
        gamma=5e-5,
        lambda_global=5e-7,
        temperature=0.5))
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
