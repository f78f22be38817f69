"""The script for remembering: what a run holds, when it got there, and the tables of several."""

import numpy as np
import pytest

import memory_curves


def cue(seed, means, variant=memory_curves.COMPLETE):
    steps = [200 * (k + 1) for k in range(len(means))]
    return {"task": "DelayedCue 5", "variant": variant, "seed": seed, "curve": {"steps": steps, "mean": means}}


def test_a_run_of_every_variant_is_of_that_variant(monkeypatch):
    task = memory_curves.TASKS["DelayedCue 5"]._replace(steps=400)
    monkeypatch.setitem(memory_curves.TASKS, "DelayedCue 5", task)
    monkeypatch.setattr(memory_curves, "EPISODES", 5)
    for variant in memory_curves.VARIANTS:
        run = memory_curves.train("DelayedCue 5", variant, seed=0)
        assert (run["task"], run["variant"], run["seed"]) == ("DelayedCue 5", variant, 0)
        assert run["curve"]["steps"] == [200, 400]
        assert all(0 <= mean <= 1 for mean in run["curve"]["mean"])
    assert len({repr(config) for config in memory_curves.VARIANTS.values()}) == len(memory_curves.VARIANTS)


@pytest.mark.parametrize(
    ("means", "first", "share"), [([0.5, 1.0, 1.0], 400, 1.0), ([1.0, 0.5], 200, 0.5), ([0.5, 0.9], np.inf, np.nan)]
)
def test_a_run_gets_there_at_the_first_evaluation_at_the_mark(means, first, share):
    np.testing.assert_equal(memory_curves.reached(cue(0, means)), (first, share))


def test_the_table_is_of_the_complete_agent():
    done = [cue(0, [0.5, 1.0]), cue(1, [1.0, 1.0]), cue(2, [0.5, 0.5]), cue(0, [0.0, 0.0], "no slow neurons")]
    row = "| DelayedCue 5 | 0.95 | 3 | 400 (200 – 400) | 1 | 2,000 | 100% | 1 | 0.1162 – 1.55 |"
    assert memory_curves.table(done).splitlines()[2:] == [row]


def test_the_ablation_compares_on_the_seeds_that_all_have_played():
    part = "no slow neurons"
    done = [
        cue(0, [0.5, 1.0]),
        cue(1, [1.0, 1.0]),
        cue(2, [0.5, 0.5]),
        cue(0, [0.0, 0.0], part),
        cue(1, [0.5, 1.0], part),
    ]
    lines = memory_curves.ablation(done).splitlines()
    assert lines[0] == "| task | complete | no slow neurons |"
    assert lines[2:] == ["| DelayedCue 5 | 300, 0 of 2, 1 | >2,000, 1 of 2, 0.5 |"]
