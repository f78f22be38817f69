"""Runs of a study: raw ones and merged ones, none done twice, whatever happens in between."""

import json
import threading
from types import SimpleNamespace

import pytest

import runs
from runs import Study


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path / "study", ("env", "share", "seed"))


def run(seed, share=0.1, **more):
    return {"env": "DynLive/Chain-v0", "share": share, "seed": seed, **more}


def test_merged_runs_are_lines_in_the_order_of_their_keys_and_raw_ones_are_gone(study):
    written = [run(10), run(2, curve={"mean": [0.5, None]}), run(2, share=0.0), run(3)]
    for one in written:
        study.write(one)
    assert min(path.name for path in study.raw.iterdir()) == "DynLive-Chain-v0_0.0_2.json"
    assert study.merge() == [written[2], written[1], written[3], written[0]]
    assert not list(study.raw.glob("*.json"))
    assert [json.loads(line) for line in study.merged.read_text().splitlines()] == study.read()
    assert '"seed":2,"curve":{"mean":[0.5,null]}}' in study.merged.read_text()
    before = study.merged.stat()
    assert len(study.merge()) == 4
    assert study.merged.stat().st_mtime_ns == before.st_mtime_ns  # there was nothing to do


def test_runs_are_found_raw_and_merged(study):
    assert study.read() == study.merge() == []
    study.write(run(0))
    study.merge()
    study.write(run(1))
    assert [study.has(("DynLive/Chain-v0", 0.1, seed)) for seed in range(3)] == [True, True, False]
    assert [one["seed"] for one in study.read()] == [0, 1]


def test_what_is_written_meanwhile_is_lost_to_nobody(study):
    def work(first):
        for seed in range(first, first + 40):
            study.write(run(seed))
            study.merge()

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one["seed"] for one in study.merge()] == [*range(40), *range(100, 140), *range(200, 240)]


def test_nothing_half_written_is_a_run(study, monkeypatch):
    study.write(run(0))
    monkeypatch.setattr(runs.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        study.write(run(1))
    with pytest.raises(KeyboardInterrupt):
        study.merge()
    assert [one["seed"] for one in study.read()] == [0]


def test_what_is_no_run_of_this_study_is_named(study):
    study.write(run(0))
    study.merge()
    with pytest.raises(ValueError, match="holds runs of another study: they have no agent"):
        Study(study.folder, ("env", "agent", "seed")).read()
    study.merged.write_text(study.merged.read_text() + "{half\n")
    with pytest.raises(ValueError, match=r"line 2 of .*runs\.jsonl holds no run"):
        study.read()
    study.merged.unlink()
    (study.raw / "x.json").write_text("{half")
    with pytest.raises(ValueError, match=r"x\.json holds no run"):
        study.read()


def test_a_study_that_is_stopped_says_how_it_goes_on(study, monkeypatch, capsys):
    monkeypatch.setattr(runs, "work", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert runs.conduct(study, {}, SimpleNamespace(table_only=False)) == ([], 130)
    assert "the same command goes on where it was" in capsys.readouterr().err


def test_seeds_are_ranges_and_lists():
    assert runs.seed_list("7") == [7]
    assert runs.seed_list("0-2,9") == [0, 1, 2, 9]


def test_the_table_and_the_pictures_are_of_all_runs(study, capsys):
    study.write(run(0))
    study.write(run(1))
    options, drawn = SimpleNamespace(out=study.folder, table_only=True), []
    assert runs.tabulate(study.fields, {}, options, lambda done: f"{len(done)} runs", drawn.extend) == 0
    assert (study.folder / "table.md").read_text() == capsys.readouterr().out == "2 runs\n"
    assert [one["seed"] for one in drawn] == [0, 1]


def test_no_table_without_runs_or_a_folder(study, capsys):
    options = SimpleNamespace(out=study.folder, table_only=True)
    assert runs.tabulate(study.fields, {}, options, str) == 0
    assert not (study.folder / "table.md").exists()
    options.out = study.folder / "file"
    options.out.touch()
    assert runs.tabulate(study.fields, {}, options, str) == 2
    assert f"cannot write into {options.out}" in capsys.readouterr().err
