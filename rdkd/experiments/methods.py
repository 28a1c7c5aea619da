"""The ways to train a student that are compared."""
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmengine.config import Config

from rdkd.errors import InputError
from rdkd.experiments.phase import Phase
from rdkd.objectives.level import PRESETS

#: What a name may be followed by, after a plus sign, and its title.
EXTRAS = dict(inherit='inheriting', response='response')


@dataclass(frozen=True)
class Method:
    """A way to train the student.

    Attributes:
        title: For people.
        settings: The distiller, without its loss weight.
        weight: The loss weight by default; None for the mini config's.
        factors: Of the default, for the weights that are tried; the first is
            the default itself or, for a method whose authors weigh it for
            another schedule, what is taken for it here.
        weight_of: The argument of ``settings['loss']`` that is the weight;
            None where it is the distiller's ``loss_weight``.
    """
    title: str
    settings: Mapping[str, Any] = field(
        default_factory=lambda: dict(type='RDKDDistiller'))
    weight: float | None = None
    factors: tuple[float, ...] = (1, 0.5, 2)
    weight_of: str | None = None

    def distiller(self, weight: float) -> dict[str, Any]:
        """The config of the distiller with a loss weight."""
        if self.weight_of is None:
            return {**self.settings, 'loss_weight': weight}
        return {**self.settings,
                'loss': {**self.settings['loss'], self.weight_of: weight}}


def _part(title: str, **parts: bool) -> Method:
    """The paper's literal form with some of its parts."""
    off = dict.fromkeys(('review', 'attention', 'decouple', 'pyramid'), False)
    return Method(title, dict(type='RDKDDistiller', preset='paper',
                              **{**off, **parts}), 4, (1, 0.25, 4))


def _level(title: str, preset: str, factors: tuple[float, ...],
           weight_of: str = 'loss_weight', **changes: Any) -> Method:
    """One of MMRazor's losses, with the preset's weight."""
    loss = PRESETS[preset]['loss']
    return Method(title, dict(type='LevelDistiller', preset=preset, loss=loss,
                              **changes), loss[weight_of], factors, weight_of)


#: The paper's ablation follows its order; ``paper`` is all of its parts.
METHODS = dict(
    none=Method('baseline', weight=0, factors=()),
    plain=_part('plain feature distillation'),
    decouple=_part('decouple only', decouple=True),
    review=_part('review only', review=True, pyramid=True),
    attention=_part('review, attention', review=True, pyramid=True,
                    attention=True),
    paper=_part('RDKD as in the paper', review=True, pyramid=True,
                attention=True, decouple=True),
    rdkd=Method('RDKD'),
    fgd=Method('FGD', dict(type='FGDDistiller'), 1, (1, 10, 100)),
    mgd=_level('MGD', 'mgd', (10, 1, 100), 'alpha_mgd'),
    # All levels are compared, as the other methods do.
    pkd=_level('PKD', 'pkd', (1, 0.5, 2), levels=None),
    cwd=_level('CWD', 'cwd', (1, 0.3, 3)))


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


def weights(name: str, of_rdkd: float) -> tuple[float, ...]:
    """The loss weights of a method that may be tried.

    Args:
        name (str): Of the method.
        of_rdkd (float): The mini config's, which is RDKD's default.

    Returns:
        tuple[float, ...]: What is taken without trying first; empty of a
        student without a distiller.
    """
    method = METHODS[split(name)[0]]
    base = of_rdkd if method.weight is None else method.weight
    return tuple(base * factor for factor in method.factors)


def distillation(name: str, weight: float | None) -> dict[str, Any]:
    """What a method states in a distillation config's model.

    Args:
        name (str): Of the method.
        weight (float, optional): Of the loss; None of a student without one.

    Returns:
        dict: ``distiller``, ``inherit`` and ``response``.
    """
    base, extras = split(name)
    return dict(
        distiller=METHODS[base].distiller(weight or 0),
        inherit='inherit' in extras,
        response=dict(type='ResponseLoss') if 'response' in extras else None)


def set_teacher(cfg: Config, teacher: Phase) -> None:
    """Let a distillation config learn from a teacher, in place.

    Args:
        cfg (Config): Changed in place.
        teacher (Phase): Is or will be trained.
    """
    cfg.model.update(teacher=str(teacher.config),
                     teacher_ckpt=str(teacher.last_checkpoint()))


def set_method(cfg: Config, name: str, weight: float | None,
               teacher: Phase) -> None:
    """Turn a distillation config to a method and a teacher, in place.

    Args:
        cfg (Config): Changed in place.
        name (str): Of the method.
        weight (float, optional): Of the loss; None of a student without one.
        teacher (Phase): Is or will be trained.
    """
    set_teacher(cfg, teacher)
    cfg.model.pop('distiller')  # an update would merge
    cfg.model.update(distillation(name, weight))
