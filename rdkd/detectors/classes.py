"""How many classes a detector's config gives its heads."""
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: Parts of a detector that count other classes than those it detects.
_OTHER_CLASSES = ('backbone', 'rpn_head', 'semantic_head',
                  'panoptic_fusion_head')


def class_counts(model: Any) -> Iterator[int]:
    """Every ``num_classes`` of the heads that detect."""
    if isinstance(model, Mapping):
        for key, value in model.items():
            if key == 'num_classes':
                yield value
            elif key not in _OTHER_CLASSES:
                yield from class_counts(value)
    elif isinstance(model, Sequence) and not isinstance(model, str):
        for value in model:
            yield from class_counts(value)
