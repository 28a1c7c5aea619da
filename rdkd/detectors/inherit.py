"""Starting a student with its teacher's neck and heads.

Source: the inheriting strategy of FGD (Yang et al., CVPR 2022) and MGD (Yang
et al., ECCV 2022).
"""
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor


def inherit_neck_and_heads(student: BaseModel, teacher: Mapping[str, Tensor]
                           ) -> tuple[Counter[str], Counter[str]]:
    """Copy what is no backbone and agrees in name and shape.

    Args:
        student (BaseModel): Receives weights and buffers.
        teacher (Mapping[str, Tensor]): The teacher's state dict.

    Returns:
        tuple[Counter[str], Counter[str]]: Number of tensors that were copied
        and that were not, by the student's part (``neck``, ``bbox_head``).
    """
    copied: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for name, value in student.state_dict().items():
        part = name.split('.')[0]
        if part == 'backbone':
            continue
        if name in teacher and teacher[name].shape == value.shape:
            with torch.no_grad():
                value.copy_(teacher[name])
            copied[part] += 1
        else:
            kept[part] += 1
    return copied, kept


def type_name(part: Mapping[str, Any]) -> str:
    """Name of the class that a part's config states, without its module.

    Args:
        part (Mapping): With ``type``, a name or a class.

    Returns:
        str: ``'RetinaNet'``, whether or not a scope or module is before it.
    """
    kind = part['type']
    name = kind if isinstance(kind, str) else kind.__name__
    return name.rpartition('.')[2]


def of_one_kind(student: Mapping[str, Any], teacher: Mapping[str, Any]
                ) -> bool:
    """Whether two detectors differ in sizes and backbones only.

    Then the student can start with the teacher's neck and heads; a head of
    another kind shares some names and shapes, but does not fit.

    Args:
        student (Mapping): The student's ``model``.
        teacher (Mapping): The teacher's.

    Returns:
        bool: Whether both are made of parts of the same kinds, whose outputs
        mean the same.
    """
    def kind(part: Any) -> Any:
        if isinstance(part, Sequence) and not isinstance(part, str):
            return [kind(each) for each in part]
        if not isinstance(part, Mapping):
            return part
        # What a part is made of, and what its outputs mean.
        return [type_name(part), *(kind(part.get(name)) for name in (
            'neck', 'bbox_head', 'rpn_head', 'roi_head', 'anchor_generator',
            'bbox_coder', 'norm_on_bbox', 'strides', 'scales', 'ratios',
            'octave_base_scale', 'scales_per_octave', 'target_stds'))]

    return bool(kind(student) == kind(teacher))
