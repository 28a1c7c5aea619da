# The paper's ablation, FCOS R101 to R50 on FLIR: decoupling alone.
_base_ = ['./rdkd_fcos_r101_r50_flir_all.py']

model = dict(distiller=dict(review=False, pyramid=False))
