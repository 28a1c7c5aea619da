# RDKD as its paper has it, FCOS R101 to R50 on COCO: nothing is
# inherited, standardized, compared directly, balanced between boxes, pooled
# for the attention or fused narrowly. The paper does not say its loss weight.
_base_ = ['./rdkd_fcos_r101_r50.py']

model = dict(
    inherit=False, distiller=dict(preset='paper', loss_weight=1.0))
