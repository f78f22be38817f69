"""The commands in the documentation of the command line: each of them works as it stands there."""

import re
import shlex

import pytest

import tables
from dynlive_rl.cli import main

PAGE = (tables.ROOT / "docs" / "cli.md").read_text()
LINES = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def run(line, capsys):
    """Run a command, its output in a file if the line says so; returns what it printed."""
    command, _, file = line.partition(" > ")
    program, *arguments = shlex.split(command, comments=True)
    assert program == "dynlive"
    assert main(arguments) == 0, line
    said = capsys.readouterr().out
    if file:
        with open(file, "w") as written:
            written.write(said)
    return said


def is_tuning(line):
    return line.split()[1] == "tune"


def test_every_command_has_an_example():
    found = {line.split()[1] for line in LINES}
    assert found == {"train", "evaluate", "watch", "info", "draw", "export", "envs", "learn", "tune"}


def test_every_command_on_the_page_works(capsys, tmp_path, monkeypatch):
    for package in ("onnx", "matplotlib", "pygame"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    for line in LINES:
        if not is_tuning(line):
            assert run(line, capsys), line
    made = {file.name for file in tmp_path.iterdir()} - {"MUJOCO_LOG.TXT"}  # written where another test imported MuJoCo
    assert made == {"runs", "live.toml", "pole.gif", "pole.onnx", "pole.py", "episode.png"}
    assert len(list((tmp_path / "runs" / "spot" / "checkpoints").iterdir())) == 2


@pytest.mark.slow
def test_every_command_on_the_page_that_tunes_works(capsys, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    for line in filter(is_tuning, LINES):
        assert run(line, capsys), line
    assert {file.name for file in (tmp_path / "runs").iterdir()} == {"tuned", "four-of-them"}


@pytest.mark.parametrize("heading", re.findall(r"\]\(#([\w-]+)\)", PAGE))
def test_the_table_of_commands_leads_to_sections(heading):
    titles = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    assert heading in {title.lower().replace(" ", "-") for title in titles}
