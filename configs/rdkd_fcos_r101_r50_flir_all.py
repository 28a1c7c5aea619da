# The paper's ablation, FCOS R101 to R50 on FLIR: review, attention and
# decoupling, as published, without this project's own choices.
# The paper does not say its loss weight.
_base_ = ['./rdkd_fcos_r101_r50_flir.py']

model = dict(
    distiller=dict(
        loss_weight=1.0, standardize=False, direct=0.0, kv_size=None))
