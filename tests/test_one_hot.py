"""The script for one-hot worlds: what a run holds, and the table of several."""

import numpy as np
import pytest

import one_hot


def test_a_run_says_from_when_on_it_was_as_good_as_can_be(monkeypatch):
    world = one_hot.WORLDS["DynLive/Chain-v0"]._replace(steps=600, every=200, episodes=2)
    monkeypatch.setitem(one_hot.WORLDS, "DynLive/Chain-v0", world)
    run = one_hot.train("DynLive/Chain-v0", seed=0)
    assert run["curve"]["steps"] == [200, 400, 600]
    assert run["curve"]["mean"][-1] == 1.0
    assert one_hot.good_from(run) in (200, 400, 600)


def frozen_lake(seed, means):
    curve = {"steps": [500 * (k + 1) for k in range(len(means))], "mean": means}
    return {"env": "FrozenLake-v1", "seed": seed, "sampled": 0.5, "curve": curve}


@pytest.mark.parametrize(("means", "since"), [([1, 1], 500), ([1, 0, 1, 1], 1_500), ([1, 1, 0], np.inf)])
def test_good_is_what_stays_good(means, since):
    assert one_hot.good_from(frozen_lake(0, means)) == since


def test_the_table_counts_the_runs_that_end_well():
    done = [frozen_lake(0, [1.0, 1.0, 1.0]), frozen_lake(1, [1.0, 0.0, 1.0]), frozen_lake(2, [1.0, 1.0, 0.0])]
    assert one_hot.table(done).splitlines()[2:] == ["| FrozenLake-v1 | 3 | 1,500 | 2 (≥ 1) | 0.67 | 0.50 |"]
