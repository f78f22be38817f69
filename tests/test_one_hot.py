"""The script for one-hot worlds: what a run holds, and the table of several."""

import one_hot
import runs


def test_a_run_says_from_when_on_it_was_as_good_as_can_be(monkeypatch, tmp_path):
    world = one_hot.WORLDS["DynLive/Chain-v0"]._replace(steps=600, every=200, episodes=2)
    monkeypatch.setitem(one_hot.WORLDS, "DynLive/Chain-v0", world)
    run = one_hot.train("DynLive/Chain-v0", seed=0)
    assert [steps for steps, _ in run["curve"]] == [200, 400, 600]
    assert run["final"] == run["curve"][-1][1] == 1.0
    assert run["best_from"] in (200, 400, 600)


def test_the_table_counts_the_runs_that_end_well(tmp_path):
    for seed, (begin, final) in enumerate([(500, 1.0), (1_500, 1.0), (None, 0.0)]):
        run = {"env": "FrozenLake-v1", "seed": seed, "best_from": begin, "final": final, "sampled": 0.5, "curve": []}
        runs.write(tmp_path / f"FrozenLake-v1_{seed}.json", run)
    assert one_hot.table(tmp_path).splitlines()[2:] == ["| FrozenLake-v1 | 3 | 1,500 | 2 (≥ 1) | 0.67 | 0.50 |"]
