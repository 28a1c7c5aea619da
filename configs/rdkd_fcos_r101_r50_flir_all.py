# The paper's ablation, FCOS R101 to R50 on FLIR: review, attention and
# decoupling. Nothing is inherited, standardized, compared directly, balanced,
# pooled for the attention or fused narrowly, which the paper does not do
# either; it does not say its loss weight, and the pyramid, which it does not
# ablate, comes with the review.
_base_ = ['./rdkd_fcos_r101_r50_flir.py']

model = dict(
    inherit=False, distiller=dict(preset='paper', loss_weight=1.0))
