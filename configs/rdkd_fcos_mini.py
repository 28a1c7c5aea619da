# RDKD at the quickstart's scale, FCOS.
_base_ = ['./fcos_mini_student.py']

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='{{ fileDirname }}/fcos_mini_teacher.py',
    teacher_ckpt='work_dirs/quickstart/mini_fcos_epochs3_seed0/teacher/epoch_12.pth',
    inherit=True,
    distiller=dict(type='RDKDDistiller', loss_weight=12.0))
