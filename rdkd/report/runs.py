"""One training of a comparison, as its report and its JSON have it."""
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from rdkd.analysis.logs import Curve

#: Columns of the table, and ``CocoMetric``'s names for them.
METRICS = dict(mAP='mAP', AP50='mAP_50', AP75='mAP_75', APs='mAP_s',
               APm='mAP_m', APl='mAP_l')


@dataclass(frozen=True)
class Run:
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
        correlation: Of the student's neck with the teacher's, -1 to 1.
        reviewed: The same after the review that was trained; None without.
        metrics: In percent, by the names of :data:`METRICS`; None where there
            is no box to count.
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

    def to_json(self) -> dict[str, Any]:
        """As the results' JSON has it: the metrics beside the rest."""
        record = asdict(self)
        metrics = record.pop('metrics')
        return {**record, **metrics}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> 'Run':
        """Read what :meth:`to_json` gave.

        Args:
            record (Mapping): An entry of ``runs`` in the results' JSON.
        """
        given = {each.name: record[each.name] for each in fields(cls)
                 if each.name != 'metrics'}
        curve = [(step, value) for step, value in given.pop('curve')]
        return cls(**given, curve=curve,
                   metrics={name: record[name] for name in METRICS})


@dataclass(frozen=True)
class FailedRun:
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

    def to_json(self) -> dict[str, Any]:
        """As the results' JSON has it where weights were tried."""
        record = asdict(self)
        why = record.pop('why')
        return {**record, 'failed': why}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> 'FailedRun':
        """Read what :meth:`to_json` gave."""
        return cls(**{key: value for key, value in record.items()
                      if key != 'failed'}, why=record['failed'])
