# FGD (Yang et al., CVPR 2022):
# FCOS R50 from FCOS R101 on COCO 2017.
_base_ = ['../rdkd_fcos_r101_r50.py']

model = dict(distiller=dict(_delete_=True, type='FGDDistiller', preset='fcos'))
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
