"""Starting a student with its teacher's neck and heads.

Source: the inheriting strategy of FGD (Yang et al., CVPR 2022) and MGD (Yang
et al., ECCV 2022).
"""
from collections import Counter
from collections.abc import Mapping

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
