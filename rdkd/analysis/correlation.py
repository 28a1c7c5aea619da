"""Correlation of a student's neck, and of its review, with the teacher's."""
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.config import Config
from torch import Tensor
from torch.nn import functional as F

from rdkd.io.checkpoint import load_checkpoint_file
from rdkd.objectives.build import build_objective
from rdkd.objectives.rdkd import RDKDDistiller

_DISTILLER = 'distiller.'

#: For each image the levels ``(C, H_l, W_l)``, fine to coarse.
Features = Sequence[Sequence[Tensor]]


@dataclass(frozen=True)
class Correlations:
    """Correlation of a student with its teacher, -1 to 1.

    Attributes:
        neck: Of the necks.
        reviewed: Of what the review made of the student's; None without one.
    """
    neck: float
    reviewed: float | None


def correlation(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> float:
    """Correlation of the levels of two necks, channel by channel.

    PKD (Cao et al., NeurIPS 2022, section 3.2) maximizes it over a batch.

    Args:
        student (Sequence[Tensor]): Levels of shape ``(C, H_l, W_l)``.
        teacher (Sequence[Tensor]): The same shapes.

    Returns:
        float: Pearson's correlation over the positions, padding included,
        -1 to 1, mean over channels and levels.  A channel without variance
        counts as 0, a level of less than four positions not at all.
    """
    levels = []
    for pair in zip(student, teacher, strict=True):
        s, t = (x.float().flatten(1) for x in pair)
        if s.shape[1] > 3:
            levels.append(F.cosine_similarity(
                s - s.mean(dim=1, keepdim=True),
                t - t.mean(dim=1, keepdim=True)).mean())
    return float(torch.stack(levels).mean())


@torch.no_grad()
def reviewed(cfg: Config, checkpoint: str, features: Features
             ) -> list[list[Tensor]] | None:
    """What a training compared with the teacher in the neck's place.

    Args:
        cfg (Config): Of the training; its student is as wide as its teacher
            and shares all levels with it.
        checkpoint (str): Of the training, with what it learned beside the
            student.
        features (Sequence[Sequence[Tensor]]): Of
            :func:`~rdkd.analysis.features.images_features`.

    Returns:
        list[list[Tensor]] | None: The same levels after the review that was
        trained; None of a student that was trained without one.
    """
    if 'distiller' not in cfg.model:
        return None
    objective = build_objective(cfg.model.distiller)
    if not (isinstance(objective, RDKDDistiller) and objective.active
            and objective.review):
        return None
    channels = [level.shape[0] for level in features[0]]
    objective.build(channels, channels)
    state = load_checkpoint_file(checkpoint)['state_dict']
    objective.load_state_dict({
        key.removeprefix(_DISTILLER): value for key, value in state.items()
        if key.startswith(_DISTILLER)})
    objective.to(features[0][0].device).eval()
    found = []
    for levels in features:
        _, (_, review) = objective.compared([level[None] for level in levels])
        found.append([level[0] for level in review])
    return found


def correlations(cfg: Config, checkpoint: str, student: Features,
                 teacher: Features) -> Correlations:
    """Correlation of a student's levels with the teacher's.

    Args:
        cfg (Config): Of the student's training.
        checkpoint (str): Of the student's training.
        student (Sequence[Sequence[Tensor]]): Of
            :func:`~rdkd.analysis.features.images_features`.
        teacher (Sequence[Sequence[Tensor]]): The teacher's.

    Returns:
        Correlations: The mean of :func:`correlation` over the images.
    """
    after = reviewed(cfg, checkpoint, student)
    return Correlations(
        statistics.mean(map(correlation, student, teacher)),
        None if after is None else
        statistics.mean(map(correlation, after, teacher)))
