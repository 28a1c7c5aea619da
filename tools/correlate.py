"""How like the teacher's neck a student's became, and its review."""
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from phases import Phase, TrainingStopped
from torch import Tensor
from visualize import load_detector

from rdkd.analysis.features import correlation, neck_features
from rdkd.io.checkpoint import load_checkpoint_file
from rdkd.layers.review import ReviewFusion

_REVIEW = 'distiller.connectors.review.'


def images_features(cfg: Config, phase: Phase, images: Sequence[Path]
                    ) -> list[list[Tensor]]:
    """A deployed model's neck.

    Args:
        cfg (Config): Of the plain detector.
        phase (Phase): Whose exported model it is.
        images (Sequence[Path]): Files.

    Returns:
        list[list[Tensor]]: For each image the levels ``(C, H_l, W_l)``.

    Raises:
        TrainingStopped: If they are not finite: the training diverged.
    """
    detector = load_detector(cfg, str(phase.deployed))
    features = [neck_features(detector, str(image))[0] for image in images]
    if not all(level.isfinite().all() for levels in features
               for level in levels):
        raise TrainingStopped(f'the features of {phase.deployed} are not '
                              'finite numbers.')
    return features


@torch.no_grad()
def reviewed(phase: Phase, features: Sequence[Sequence[Tensor]]
             ) -> list[list[Tensor]] | None:
    """What the training compared with the teacher in the neck's place.

    Args:
        phase (Phase): Of a student as wide as its teacher.
        features (Sequence[Sequence[Tensor]]): Of :func:`images_features`.

    Returns:
        list[list[Tensor]] | None: The same levels after the review that was
        trained; None of a student that was trained without one.
    """
    distiller = phase.read().model.get('distiller', {})
    if not distiller.get('review') or not distiller.loss_weight:
        return None
    fusion = ReviewFusion([level.shape[0] for level in features[0]],
                          distiller.attention, distiller.kv_size,
                          distiller.reduction)
    state = load_checkpoint_file(str(phase.last_checkpoint()))['state_dict']
    fusion.load_state_dict({
        key.removeprefix(_REVIEW): value for key, value in state.items()
        if key.startswith(_REVIEW)})
    fusion.to(features[0][0].device).eval()
    return [[level[0] for level in fusion.forward_train(
        [level[None] for level in levels])] for levels in features]


def correlations(phase: Phase, plain: Config, images: Sequence[Path],
                 teacher: Sequence[Sequence[Tensor]]
                 ) -> tuple[float, float | None]:
    """How like a teacher's a student's levels are.

    Args:
        phase (Phase): Of the student.
        plain (Config): Of the student's detector.
        images (Sequence[Path]): Files.
        teacher (Sequence[Sequence[Tensor]]): Its :func:`images_features`.

    Returns:
        tuple[float, float | None]: The mean of
        :func:`~rdkd.analysis.features.correlation` over the images, of
        the neck's levels and of the reviewed ones.
    """
    own = images_features(plain, phase, images)
    after = reviewed(phase, own)
    return (statistics.mean(map(correlation, own, teacher)),
            None if after is None else
            statistics.mean(map(correlation, after, teacher)))
