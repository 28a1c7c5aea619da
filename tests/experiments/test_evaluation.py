"""Evaluations are kept, and made anew for another model."""
import json
import os

import pytest

from rdkd.experiments.evaluation import evaluate
from rdkd.experiments.phase import Phase


@pytest.fixture
def phase(student_cfg, tmp_path):
    """A student that was trained."""
    phase = Phase('student', 'the student', tmp_path)
    phase.write(student_cfg)
    phase.folder.mkdir()
    phase.last_checkpoint().touch()
    return phase


@pytest.fixture
def commands(phase, monkeypatch):
    """What is done; each writes what it would."""
    run = []

    def export(checkpoint, out):
        run.append('export')
        out.touch()

    def stand_in(name, *arguments, about, log):
        run.append(name)
        phase.results.mkdir()
        arguments[-1].write_text(json.dumps({'coco/bbox_mAP': 0.5}))

    monkeypatch.setattr('rdkd.experiments.evaluation.export', export)
    monkeypatch.setattr('rdkd.experiments.evaluation.run_command', stand_in)
    return run


def test_a_model_is_evaluated_once(phase, commands):
    measured = evaluate(phase, phase)
    assert measured.metrics['coco/bbox_mAP'] == 0.5
    # What is not measured when nothing is detected is nothing.
    assert measured.metrics['coco/bbox_mAP_75'] == 0
    assert measured.detections == []
    assert evaluate(phase, phase) == measured
    assert commands == ['export', 'test']


def test_a_model_that_was_trained_anew_is_evaluated_anew(phase, commands):
    evaluate(phase, phase)
    later = phase.results.stat().st_mtime_ns + 10**9
    os.utime(phase.last_checkpoint(), ns=(later, later))
    evaluate(phase, phase)
    assert commands == ['export', 'test'] * 2
