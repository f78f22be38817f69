"""What is published: a source distribution of the whole repository, a wheel of the packages alone; and the papers."""

import email
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

import dynlive_rl
from sites import PROJECT, REPOSITORY, ROOT

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "build", "demo", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "runs"
)


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Build the source distribution in a copy of the repository, and the wheel from it; return both paths."""
    pytest.importorskip("build.__main__")  # not the folder of that name
    folder = tmp_path_factory.mktemp("distributions")
    shutil.copytree(ROOT, folder / "copy", ignore=LEFT_OUT, symlinks=True)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, folder / "copy"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def tracked():
    """Return the paths of the repository's files; without Git they are not known."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a clone")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {path for path in listed.splitlines() if (ROOT / path).exists()}


def test_the_source_distribution_is_complete(distributions):
    expected = tracked()
    with tarfile.open(distributions[0]) as archive:
        held = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert expected - held == set()
    assert {path for path in held - expected if not re.search(r"\.egg-info/|^PKG-INFO$|^setup\.cfg$", path)} == set()


def test_the_wheel_has_the_packages_alone(distributions):
    with zipfile.ZipFile(distributions[1]) as archive:
        held = archive.namelist()
        metadata = email.message_from_bytes(archive.read(next(name for name in held if name.endswith("/METADATA"))))
    assert {name.split("/")[0].partition("-")[0] for name in held} == {"dynlive_rl"}
    assert {"dynlive_rl/py.typed", "dynlive_rl/agents/agent.py", "dynlive_rl/envs/chain.py"} <= set(held)
    assert [name for name in held if re.search(r"test|/docs/|\.(png|gif|webp|nbi|nbc)$", name)] == []
    assert sum(archive.getinfo(name).file_size for name in held) < 2_000_000
    assert metadata["Version"] == dynlive_rl.__version__
    assert f"{REPOSITORY}/raw/main/docs/pictures/network.png" in metadata.get_payload()
    assert f"Repository, {REPOSITORY}" in metadata.get_all("Project-URL")


@pytest.mark.slow
def test_it_installs_from_the_source_distribution_and_its_tests_run(distributions, tmp_path):
    """Takes minutes: an empty environment, everything from the package index, and kernels compiled anew."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    with tarfile.open(distributions[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    source = next(tmp_path.glob("dynlive_rl-*"))
    install = [python, "-m", "pip", "install", "-q", "-c", source / "constraints.txt", f"{source}[test]"]
    subprocess.run(install, check=True)
    smoke = ["tests/test_building.py", "tests/test_own_loop.py", "tests/test_agent_files.py"]
    # -P: the installed package, not the folder of the same name.
    subprocess.run([python, "-P", "-m", "pytest", "-m", "not slow", "-x", "-q", *smoke], cwd=source, check=True)


# -- papers ------------------------------------------------------------------------------------------------------------


def test_the_citation_is_of_this_version():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == dynlive_rl.__version__
    assert citation["repository-code"] == REPOSITORY
    assert citation["license"] == PROJECT["project"]["license"]
    assert {"message", "title", "authors", "type", "abstract"} <= citation.keys()


def test_the_workflow_runs_what_a_developer_runs():
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["check"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make lint", "make test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    local = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^make \w+$", local, re.MULTILINE) == ["make lint", "make test"]


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_issue_forms_can_be_read(form):
    yaml = pytest.importorskip("yaml")
    told = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.stem == "config":
        return
    assert {"name", "description", "body"} <= told.keys()
    assert all({"type", "id", "attributes"} <= field.keys() and field["attributes"]["label"] for field in told["body"])
