# RDKD at the quickstart's scale, Faster R-CNN.
_base_ = ['./faster_rcnn_mini_student.py']

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='{{ fileDirname }}/faster_rcnn_mini_teacher.py',
    teacher_ckpt='work_dirs/quickstart/mini_faster_rcnn_epochs3_seed0/teacher/epoch_12.pth',
    inherit=True,
    distiller=dict(type='RDKDDistiller', loss_weight=3.0))
