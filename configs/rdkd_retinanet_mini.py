# RDKD at the quickstart's scale.
_base_ = ['./retinanet_mini_student.py']

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='{{ fileDirname }}/retinanet_mini_teacher.py',
    teacher_ckpt='work_dirs/quickstart/mini_epochs3_seed0/teacher/epoch_12.pth',
    inherit=True,
    distiller=dict(type='RDKDDistiller', loss_weight=12.0))
