"""The ways to train a student that ``compare.py`` knows."""
from collections.abc import Mapping
from typing import Any, NamedTuple

from rdkd.errors import InputError

#: RDKD with every part switched off, and as wide as the paper's.
_OFF = dict(review=False, attention=False, decouple=False, pyramid=False,
            standardize=False, direct=0.0, box_balance=0.0, kv_size=None,
            reduction=1)
#: What a name may be followed by, after a plus sign, and its title.
EXTRAS = dict(inherit='inheriting', response='response')


class Method(NamedTuple):
    """A way to train the student.

    Attributes:
        title: For people.
        weights: Loss weights that ``--tune`` tries; the first is the default.
            RDKD's depend on the detector.
        changes: Settings of ``RDKDDistiller`` that differ from the mini
            config's; None for another distiller.
    """
    title: str
    weights: tuple[float, ...] = ()
    changes: Mapping[str, Any] | None = None


#: The paper's ablation follows its order; ``paper`` is all of its parts.
METHODS = dict(
    none=Method('student alone', changes={}),
    plain=Method('plain feature distillation', (4, 1, 16), _OFF),
    decouple=Method('decouple only', (4, 1, 16), dict(_OFF, decouple=True)),
    review=Method('review only', (4, 1, 16),
                  dict(_OFF, review=True, pyramid=True)),
    attention=Method('review, attention', (4, 1, 16), dict(
        _OFF, review=True, pyramid=True, attention=True)),
    paper=Method('RDKD as in the paper', (4, 1, 16), dict(
        _OFF, review=True, pyramid=True, attention=True, decouple=True)),
    rdkd=Method('RDKD', changes={}),
    fgd=Method('FGD', (1, 10, 100)),
    mgd=Method('MGD', (2e-4, 2e-5, 2e-3)),
    pkd=Method('PKD', (10, 5, 20)),
    cwd=Method('CWD', (10, 3, 30)))


def split(name: str) -> tuple[str, list[str]]:
    """A method's name and its extras.

    Args:
        name (str): ``rdkd``, ``pkd+inherit``, ``none+inherit+response``.

    Raises:
        InputError: If there is no such method or extra.
    """
    base, *extras = name.split('+')
    if base not in METHODS:
        raise InputError(f'there is no {base!r}; choose of '
                         f'{", ".join(METHODS)}')
    for extra in extras:
        if extra not in EXTRAS:
            raise InputError(f'there is no +{extra}; choose of '
                             f'{", ".join(EXTRAS)}')
    if extras != sorted(set(extras)):
        raise InputError(f'write the extras of {name} once each and in the '
                         'order of the alphabet')
    return base, extras


def title(name: str) -> str:
    """What people call a method."""
    base, extras = split(name)
    return ' + '.join([METHODS[base].title, *(EXTRAS[e] for e in extras)])


def distillation(name: str, own: Mapping[str, Any], weight: float | None
                 ) -> dict[str, Any]:
    """What a method changes in a distillation config's model.

    Args:
        name (str): Of the method.
        own (Mapping): The mini config's distiller.
        weight (float, optional): Of the loss; None of a student without one.

    Returns:
        dict: ``distiller``, ``inherit`` and ``response``.
    """
    base, extras = split(name)
    changes = METHODS[base].changes
    others: dict[str, dict[str, Any]] = dict(
        fgd=dict(type='FGDDistiller', loss_weight=weight),
        mgd=dict(type='LevelDistiller',
                 loss=dict(type='MGDLoss', alpha_mgd=weight),
                 connector=dict(type='MGDConnector')),
        pkd=dict(type='LevelDistiller',
                 loss=dict(type='PKDLoss', loss_weight=weight)),
        cwd=dict(type='LevelDistiller', loss=dict(
            type='ChannelWiseDivergence', loss_weight=weight)))
    return dict(
        distiller=(others[base] if changes is None else
                   {**own, **changes, 'loss_weight': weight or 0}),
        inherit='inherit' in extras,
        response=dict(type='ResponseLoss') if 'response' in extras else None)
