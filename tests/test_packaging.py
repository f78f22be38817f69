"""What is declared for an installation: its packages, and lowest versions that are those that are tested."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
PINS = dict(line.split("==") for line in (ROOT / "constraints-lowest.txt").read_text().splitlines() if "==" in line)


def lowest(requirements):
    """Return the lowest versions that requirements give, by name."""
    found = (re.fullmatch(r"([\w-]+)(?:\[.*\])?>=([\d.]+)", requirement) for requirement in requirements)
    return {one[1]: one[2] for one in found if one}


@pytest.mark.parametrize("requirements", [PROJECT["project"]["dependencies"], EXTRAS["viz"], EXTRAS["test"]])
def test_the_lowest_versions_are_the_tested_ones(requirements):
    declared = lowest(requirements)
    assert declared
    for name, version in declared.items():
        assert re.fullmatch(re.escape(version) + r"(\.0)*", PINS[name]), (
            f"{name}: {version} declared, {PINS[name]} tested"
        )


def test_every_package_is_installed():
    tools = PROJECT["tool"]["setuptools"]
    folders = {
        f"{package}.{init.parent.relative_to(ROOT / folder).as_posix().replace('/', '.')}".removesuffix("..")
        for package, folder in tools["package-dir"].items()
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert folders == set(tools["packages"])


def test_a_checkout_can_be_imported_from_its_folder_though_another_copy_is_installed():
    """Python looks into the folder that one works in first: all of the package has to be found from there."""
    script = (
        "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in str(f)]; "
        "from dynlive_rl import DynLiveAgent, envs; print(sys.modules['dynlive_rl.agents'].__file__)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(ROOT / "agents" / "__init__.py"), done.stderr
