"""From a config to an objective."""
from collections.abc import Mapping
from typing import Any

from rdkd.objectives.base import Objective
from rdkd.objectives.mmrazor import RecordedObjective, build_razor_part


def build_objective(config: Mapping[str, Any]) -> Objective:
    """Build a registered objective, or a distiller of MMRazor's as one.

    Args:
        config (Mapping): With ``type``.

    Returns:
        Objective: Not prepared yet.
    """
    built = build_razor_part(config)
    return (built if isinstance(built, Objective)
            else RecordedObjective(built))
