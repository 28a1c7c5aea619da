# FGD (Yang et al., CVPR 2022):
# FCOS R50 from FCOS R101 on COCO 2017.
_base_ = ['../rdkd_fcos_r101_r50.py']

model = dict(
    distiller=dict(
        _delete_=True,
        type='FGDDistiller',
        alpha=1.6e-3,
        beta=8e-4,
        gamma=8e-4,
        lambda_global=8e-6,
        temperature=0.8))
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
