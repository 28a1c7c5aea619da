# FLIR ADAS as tools/dataset_converters/flir.py writes it to data/flir: what
# the configs `*_flir.py` put in the place of COCO. See data/README.md.
custom_imports = dict(imports=['rdkd'], allow_failed_imports=False)

flir_classes = ('person', 'bicycle', 'car', 'dog')
flir_train = dict(
    data_root='data/flir/',
    metainfo=dict(classes=flir_classes),
    ann_file='annotations/train.json',
    data_prefix=dict(img='images/train/'))
flir_val = dict(
    data_root='data/flir/',
    metainfo=dict(classes=flir_classes),
    ann_file='annotations/val.json',
    data_prefix=dict(img='images/val/'))
flir_val_file = 'data/flir/annotations/val.json'
