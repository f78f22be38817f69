"""What importing the package may bring along."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "stable_baselines3", "sb3_contrib", "matplotlib", "networkx", "gymnasium", "sklearn")


@pytest.fixture(scope="module")
def loaded():
    code = "import sys, dynlive_rl; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", HEAVY)
def test_importing_the_network_loads_nothing_it_does_not_need(loaded, name):
    assert "numba" in loaded
    assert name not in loaded


def test_an_unknown_name_is_an_attribute_error():
    import dynlive_rl

    with pytest.raises(AttributeError, match="module 'dynlive_rl' has no attribute 'Agent'"):
        _ = dynlive_rl.Agent


def test_all_names_exist():
    import dynlive_rl

    # The agent and the estimators load what they need, see their own tests.
    assert all(hasattr(dynlive_rl, name) for name in dynlive_rl.__all__ if not name.startswith("DynLive"))
