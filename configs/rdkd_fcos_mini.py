# RDKD at the quickstart's scale, FCOS.
_base_ = ['./fcos_mini_student.py']

# The teacher's checkpoint: any file, --cfg-options model.teacher_ckpt=FILE.
teacher_ckpt = 'work_dirs/quickstart/mini_fcos_seed0/teacher/epoch_20.pth'

model = dict(
    _delete_=True,
    type='DetectorDistillation',
    architecture=_base_.model,
    teacher='{{ fileDirname }}/fcos_mini_teacher.py',
    teacher_ckpt=teacher_ckpt,
    inherit=True,
    distiller=dict(
        type='RDKDDistiller',
        loss_weight=12.0,
        review=True,
        attention=True,
        decouple=True,
        pyramid=False,
        standardize=True,
        direct=0.5,
        fg_weight=1.0,
        bg_weight=0.5,
        box_balance=0.5,
        kv_size=16,
        reduction=4))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='TeacherClassesHook'),
    dict(type='DeployHook')
]
