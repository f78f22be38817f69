"""The script for the sparsity-score curve: what a run holds, and the table of several."""

import sparsity


def result(seed, *, connect=1.0, fraction=0.0, solved_at=1_000, score=500.0, left=1.0):
    return {
        "env": "CartPole-v1", "seed": seed, "connect": connect, "prune_fraction": fraction, "steps": 20_000,
        "solved_at": solved_at, "score": score, "start": connect, "share": left, "curve": [],
    }  # fmt: skip


def test_a_run_starts_sparse_and_says_what_is_left(monkeypatch):
    monkeypatch.setattr(sparsity, "EPISODES", 3)
    run = sparsity.train("CartPole-v1", (0.1, 4.0), seed=0, steps=400)
    assert [steps for steps, *_ in run["curve"]] == [100, 200, 300, 400]
    assert run["start"] < 0.25  # two of eight inputs, and 13 of 128 hidden neurons
    assert run["share"] == run["curve"][-1][2] > run["start"]
    assert run["score"] == run["curve"][-1][1]
    assert sparsity.train("CartPole-v1", (1.0, 0.0), seed=0, steps=100)["start"] == 1.0


def test_the_table_compares_with_the_default_on_the_same_seeds():
    files = [
        result(0, solved_at=1_000), result(1, solved_at=3_000), result(2, solved_at=100),
        result(0, connect=0.1, fraction=2.0, solved_at=2_000, left=0.3),
        result(1, connect=0.1, fraction=2.0, solved_at=None, score=100.0, left=0.2),
    ]  # fmt: skip
    full, sparse = sparsity.table(files).splitlines()[2:]
    assert full == "| CartPole-v1 | 100% | 0 | 3 | 1,000 | 1,367 | – | 100% | 500.0 | 100% |"
    assert sparse.startswith("| CartPole-v1 | 10% | 2 | 2 | 11,000 | 11,000 | 5.50 (2.00–6.67) | 50% | 300.0 | 25% |")


def test_the_picture_of_part_of_a_study_has_numbers_on_its_axes(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(sparsity.plt, "close", drawn.append)
    sparsity.draw(
        [result(0, connect=0.25, left=0.5), result(1, connect=0.25, score=400.0, left=0.5)], tmp_path / "curve.png"
    )
    (figure,) = drawn
    assert len(figure.axes) == 2
    assert figure.axes[0].get_title() == "CartPole-v1"
    assert figure.axes[0].get_ylim()[0] < 475 < figure.axes[0].get_ylim()[1]


def test_the_picture_shows_every_environment_there_is(tmp_path):
    files = [result(0), result(0, connect=0.1, fraction=2.0, left=0.3)]
    sparsity.draw(files, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 10_000
