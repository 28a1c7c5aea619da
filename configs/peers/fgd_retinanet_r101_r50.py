# FGD (Yang et al., CVPR 2022):
# RetinaNet R50 from RetinaNet R101 on COCO 2017.
_base_ = ['../rdkd_retinanet_r101_r50.py']

model = dict(
    distiller=dict(
        _delete_=True,
        type='FGDDistiller',
        alpha=1e-3,
        beta=5e-4,
        gamma=5e-4,
        lambda_global=5e-6,
        temperature=0.5))
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
