# What every distillation config on a real data set adds to the student's own.
custom_imports = dict(imports=['rdkd'], allow_failed_imports=False)
custom_hooks = [
    dict(type='EpochSeedHook'),
    dict(type='TeacherClassesHook'),
    dict(type='DeployHook')
]
