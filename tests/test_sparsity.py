"""The script for the sparsity-score curve: what a run holds, and the table of several."""

import pytest

import sparsity


def result(seed, *, connect=1.0, fraction=0.0, solved_at=1_000, score=500.0, left=1.0):
    steps = [*range(100, 20_001, 100)]
    means = [9.0 if solved_at is None or at < solved_at else 500.0 for at in steps]
    curve = {"steps": steps, "mean": means[:160] + [score] * 40, "share": [connect] * 199 + [left]}
    return {
        "env": "CartPole-v1", "connect": connect, "prune_fraction": fraction, "seed": seed,
        "start": connect, "budget": 20_000, "curve": curve,
    }  # fmt: skip


def test_a_run_starts_sparse_and_says_what_is_left(monkeypatch):
    monkeypatch.setattr(sparsity, "EPISODES", 3)
    run = sparsity.train("CartPole-v1", (0.1, 4.0), seed=0, steps=400)
    assert run["curve"]["steps"] == [100, 200, 300, 400]
    assert run["budget"] == 400
    assert run["start"] < 0.25  # two of eight inputs, and 13 of 128 hidden neurons
    assert sparsity.left(run) == run["curve"]["share"][-1] > run["start"]
    assert sparsity.score(run) == pytest.approx(run["curve"]["mean"][-1])
    assert sparsity.train("CartPole-v1", (1.0, 0.0), seed=0, steps=100)["start"] == 1.0


def test_the_table_compares_with_the_default_on_the_same_seeds():
    done = [
        result(0, solved_at=1_000), result(1, solved_at=3_000), result(2, solved_at=100),
        result(0, connect=0.1, fraction=2.0, solved_at=2_000, left=0.3),
        result(1, connect=0.1, fraction=2.0, solved_at=None, score=100.0, left=0.2),
    ]  # fmt: skip
    full, sparse = sparsity.table(done).splitlines()[2:]
    assert full == "| CartPole-v1 | 100% | 0 | 3 | 1,000 | 1,367 | – | 100% | 500.0 | 100% |"
    assert sparse.startswith("| CartPole-v1 | 10% | 2 | 2 | 11,000 | 11,000 | 5.50 (2.00–6.67) | 50% | 300.0 | 25% |")


def test_the_picture_of_part_of_a_study_has_numbers_on_its_axes(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(sparsity.plt, "close", drawn.append)
    sparsity.draw(
        [result(0, connect=0.25, left=0.5), result(1, connect=0.25, score=400.0, left=0.5)], tmp_path / "curve"
    )
    (figure,) = drawn
    assert len(figure.axes) == 2
    assert figure.axes[0].get_title() == "CartPole-v1"
    assert figure.axes[0].get_ylim()[0] < 475 < figure.axes[0].get_ylim()[1]


def test_the_picture_shows_every_environment_there_is(tmp_path):
    done = [result(0), result(0, connect=0.1, fraction=2.0, left=0.3)]
    sparsity.draw(done, tmp_path / "curve")
    assert (tmp_path / "curve.png").stat().st_size > 10_000
    assert "</svg>" in (tmp_path / "curve.svg").read_text()
