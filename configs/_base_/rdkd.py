# What a distillation config adds to its student's, so that MMDetection's own
# tools can read it too; `rdkd train` adds hooks and the saver to every run.
custom_imports = dict(imports=['rdkd'], allow_failed_imports=False)
