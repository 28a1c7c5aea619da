# RDKD as its paper has it, Faster R-CNN R101 to R50 on COCO: nothing is
# inherited, standardized, compared directly, balanced between boxes, pooled
# for the attention or fused narrowly. The paper does not say its loss weight.
# Exact attention at stride 4 is more work than the rest of a step
# (tools/flops.py).
_base_ = ['./rdkd_faster_rcnn_r101_r50.py']

model = dict(
    inherit=False, distiller=dict(preset='paper', loss_weight=1.0))
