"""From a config to an objective."""
from collections.abc import Mapping
from typing import Any

from rdkd.errors import InputError
from rdkd.objectives.base import Objective
from rdkd.objectives.mmrazor import RecordedObjective, build_razor_part


def build_objective(config: Mapping[str, Any]) -> Objective:
    """Build a registered objective, or a distiller of MMRazor's as one.

    Args:
        config (Mapping): With ``type``.

    Returns:
        Objective: Not prepared yet.

    Raises:
        InputError: If it is neither.
    """
    built = build_razor_part(config)
    if isinstance(built, Objective):
        return built
    if not hasattr(built, 'compute_distill_losses'):
        raise InputError(
            f'{config["type"]!r} is no distiller: name an objective, such as '
            'RDKDDistiller, or a distiller of MMRazor.')
    return RecordedObjective(built)
