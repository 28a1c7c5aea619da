"""What mmengine logged is read, of runs that were interrupted too."""
import json

import pytest

from rdkd.analysis.logs import read_history, training_seconds


def write_logs(folder, **logs):
    """A log of each part of a run, as mmengine writes them."""
    for name, rows in logs.items():
        log = folder / name / 'vis_data/scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text('\n'.join(map(json.dumps, rows)))


def test_history_of_an_interrupted_run(tmp_path):
    write_logs(tmp_path, first=[dict(step=1, loss=4.), dict(step=2, loss=9.)],
               second=[dict(step=2, loss=3.),
                       {'step': 1, 'coco/bbox_mAP': .5}])
    curve, losses = read_history(tmp_path)
    assert curve == [(1, .5)]
    assert losses == {'loss': [(1, 4.), (2, 3.)]}


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    write_logs(tmp_path, first=[dict(step=1, loss=4.)])
    log = tmp_path / 'first/vis_data/scalars.json'
    log.write_text(log.read_text() + '\n{"step": 2, "lo')
    assert read_history(tmp_path)[1] == {'loss': [(1, 4.)]}


def test_seconds_are_of_all_steps_and_count_once(tmp_path):
    def entry(step, time):
        return dict(iter=step, step=step, loss=1., time=time)

    write_logs(tmp_path, first=[entry(10, .5), entry(20, 9.)],
               second=[entry(20, .25), {'step': 1, 'coco/bbox_mAP': .5}])
    assert training_seconds(tmp_path) == pytest.approx(10 * .5 + 10 * .25)
