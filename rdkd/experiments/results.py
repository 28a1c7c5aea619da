"""What a comparison measured, and how it is kept."""
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rdkd.report.report import Curve


@dataclass(frozen=True)
class StudentRun:
    """One student that was trained and evaluated.

    Attributes:
        method: Its name, e.g. ``rdkd+inherit``.
        title: What people call it.
        seed: Of the training.
        weight: Of the distillation loss; None of a student without one.
        phase: Name of its folder.
        curve: ``(epoch, mAP in [0, 1])`` while training.
        seconds: Time of the training steps.
        errors: Points of AP50 that mending each type of error would bring.
        correlation: Of its neck with the teacher's, -1 to 1.
        reviewed: The same after the review that was trained; None without.
        metrics: In percent, by the names of
            :data:`rdkd.report.comparison.METRICS`; None where there is no box
            to count.
    """
    method: str
    title: str
    seed: int
    weight: float | None
    phase: str
    curve: Curve
    seconds: float
    errors: Mapping[str, float]
    correlation: float
    reviewed: float | None
    metrics: Mapping[str, float | None]

    @property
    def map(self) -> float:
        """The mAP in percent."""
        return self.metrics['mAP'] or 0.0

    def record(self) -> dict[str, Any]:
        """As the results' JSON has it: the metrics beside the rest."""
        record = asdict(self)
        return {**record, **record.pop('metrics')}


@dataclass(frozen=True)
class StoppedRun:
    """One student whose training ended by itself.

    Attributes:
        method: Its name.
        title: What people call it.
        seed: Of the training.
        weight: Of the distillation loss.
        why: What the training said.
    """
    method: str
    title: str
    seed: int
    weight: float | None
    why: str

    def record(self) -> dict[str, Any]:
        """As the results' JSON has it where it was tried for its weight."""
        record = asdict(self)
        return {**record, 'failed': record.pop('why')}
