"""What may import what: one way through the layers, in no circle, and nobody reaches for another's private names."""

import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from sources import imports, is_private, modules, private_reaches

HEAVY = ("torch", "ray", "optuna", "stable_baselines3", "sb3_contrib", "matplotlib", "networkx", "gymnasium", "sklearn")

# The agents' kernels read the settings as a record that is generated from the configuration.
CONFIGURATION = (
    "dynlive_rl.agents.settings",
    "dynlive_rl.agents.recurrence_config",
    "dynlive_rl.agents.config",
    "dynlive_rl.agents.live_config",
)
# Every module belongs to the layer of the longest of these names, and imports only from its own layer and from
LAYERS = {
    "dynlive_rl.kernels": (),
    "dynlive_rl": ("dynlive_rl.kernels",),
    **dict.fromkeys(CONFIGURATION, ("dynlive_rl.kernels", "dynlive_rl", *CONFIGURATION)),
    "dynlive_rl.agents.kernels": ("dynlive_rl.kernels", "dynlive_rl", *CONFIGURATION),
    "dynlive_rl.agents": ("dynlive_rl.kernels", "dynlive_rl", *CONFIGURATION, "dynlive_rl.agents.kernels"),
    "dynlive_rl.agents.live_page": (
        "dynlive_rl.kernels",
        "dynlive_rl",
        *CONFIGURATION,
        "dynlive_rl.agents.kernels",
        "dynlive_rl.agents",
        "dynlive_rl.envs",
    ),
    "dynlive_rl.agents.tuning": (
        "dynlive_rl.kernels",
        "dynlive_rl",
        *CONFIGURATION,
        "dynlive_rl.agents",
    ),
    "dynlive_rl.envs": (),
    "dynlive_rl.cli": (
        "dynlive_rl.kernels",
        "dynlive_rl",
        *CONFIGURATION,
        "dynlive_rl.agents",
        "dynlive_rl.agents.live_page",
        "dynlive_rl.agents.tuning",
        "dynlive_rl.envs",
    ),
    "dynlive_rl.__main__": ("dynlive_rl.cli",),
    "scripts": (
        "dynlive_rl.kernels",
        "dynlive_rl",
        "dynlive_rl.agents.kernels",
        "dynlive_rl.agents",
        "dynlive_rl.agents.live_page",
        "dynlive_rl.agents.tuning",
        "dynlive_rl.envs",
        "dynlive_rl.cli",
    ),
}
# but for these: environments check numbers as all do, and the package's front door shows the agent to who asks for it.
EXCEPTIONS = {("dynlive_rl.envs", "dynlive_rl.checks"), ("dynlive_rl", "dynlive_rl.agents")}
ONLY_DEFERRED = {("dynlive_rl", "dynlive_rl.agents")}


def layer(module):
    return max((name for name in LAYERS if module == name or module.startswith(name + ".")), key=len)


def wrong_ways(found):
    """Imports against the layers."""
    for module in found.values():
        here = layer(module.name)
        for what in imports(module, found):
            there = layer(what.target)
            if there == here or there in LAYERS[here]:
                continue
            pair = next(
                (pair for pair in EXCEPTIONS if what.target == pair[1] and pair[0] in (module.name, here)), None
            )
            # The front door is one module, not its layer.
            if pair is None or (pair in ONLY_DEFERRED and (module.name != pair[0] or not what.deferred)):
                yield f"{module.name}:{what.line} imports {what.target}"


def reaches(found):
    """Names with an underscore that belong to another module or object."""
    for module in found.values():
        if module.name.startswith("scripts."):
            continue
        for what in imports(module, found):
            if is_private(what.name):
                yield f"{module.name}:{what.line} imports {what.target}.{what.name}"
        for name, line in private_reaches(module.tree):
            yield f"{module.name}:{line} uses {name}"


def circles(found):
    """A circle of modules that import each other as they are loaded, if there is one."""
    graph = {
        module.name: {what.target for what in imports(module, found) if not what.deferred} - {module.name}
        for module in found.values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " → ".join(error.args[1])


# -- the contract ------------------------------------------------------------------------------------------------------


def test_every_package_is_looked_at():
    names = modules().keys()
    assert {"dynlive_rl.core", "dynlive_rl.agents.kernels.retrace", "dynlive_rl.envs.chain"} <= names
    assert len(names) > 60


@pytest.mark.parametrize("rule", [wrong_ways, reaches, circles])
def test_the_code_keeps_to_the_contract(rule):
    assert list(rule(modules())) == []


GOOD = {
    "dynlive_rl/__init__.py": "from .network import Network\ndef __getattr__(name):\n    from .agents import Agent",
    "dynlive_rl/checks.py": "",
    "dynlive_rl/network.py": "from . import kernels\nfrom .kernels.update import step",
    "dynlive_rl/builder.py": "from .network import Network",
    "dynlive_rl/cli.py": "from .agents.agent import Agent",
    "dynlive_rl/kernels/__init__.py": "",
    "dynlive_rl/kernels/update.py": "def step(): ...",
    "agents/__init__.py": "from .agent import Agent",
    "agents/agent.py": "import dynlive_rl.network\nfrom .kernels.learn import learn\nclass Agent: ...",
    "agents/kernels/__init__.py": "",
    "agents/kernels/learn.py": "from dynlive_rl.kernels.update import step\ndef learn(): ...",
    "envs/__init__.py": "from dynlive_rl.checks import number",
    "scripts/run.py": "from dynlive_rl.agents import Agent",
}


def planted(folder, path=None, line=""):
    """Write the good tree, with a line more in one of its files, and return its modules."""
    for name, text in GOOD.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n{line if name == path else ''}\n")
    return modules(folder)


def test_a_tree_that_keeps_to_it_passes(tmp_path):
    found = planted(tmp_path)
    assert [*wrong_ways(found), *reaches(found), *circles(found)] == []


@pytest.mark.parametrize(
    ("rule", "path", "line", "says"),
    [
        (wrong_ways, "dynlive_rl/kernels/update.py", "from ..network import Network", "kernels.update:2 imports dynlive_"),
        (wrong_ways, "dynlive_rl/kernels/update.py", "def f():\n    import dynlive_rl.network", "imports dynlive_rl.network"),
        (wrong_ways, "dynlive_rl/network.py", "from .agents import Agent", "network:3 imports dynlive_rl.agents"),
        (wrong_ways, "dynlive_rl/network.py", "def f():\n    from .agents import Agent", "imports dynlive_rl.agents"),
        (wrong_ways, "dynlive_rl/network.py", "from . import cli", "dynlive_rl.network:3 imports dynlive_rl.cli"),
        (wrong_ways, "dynlive_rl/__init__.py", "from .agents import Agent", "dynlive_rl:4 imports dynlive_rl.agents"),
        (wrong_ways, "agents/kernels/learn.py", "from ..agent import Agent", "learn:3 imports dynlive_rl.agents.agent"),
        (wrong_ways, "envs/__init__.py", "from dynlive_rl.network import Network", "envs:2 imports dynlive_rl.network"),
        (wrong_ways, "agents/agent.py", "from dynlive_rl import cli", "agents.agent:4 imports dynlive_rl.cli"),
        (reaches, "agents/agent.py", "from dynlive_rl.network import _hidden", "imports dynlive_rl.network._hidden"),
        (reaches, "agents/agent.py", "def f(net): return net._arrays", "dynlive_rl.agents.agent:4 uses net._arrays"),
        (reaches, "dynlive_rl/builder.py", "def f(self, net): net._arrays = self._arrays", "uses net._arrays"),
        (circles, "dynlive_rl/network.py", "from .builder import Builder", "dynlive_rl.builder → dynlive_rl.network"),
        (circles, "agents/kernels/learn.py", "from .. import agent", "dynlive_rl.agents.agent"),
    ],
)  # fmt: skip
def test_a_planted_violation_is_found(rule, path, line, says, tmp_path):
    assert any(says in told or says in f"{told} → {told}" for told in rule(planted(tmp_path, path, line)))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("agents/agent.py", "class Box:\n    def __init__(self): self._x = 1\n    def f(self, other): return other._x"),
        ("agents/agent.py", "def f(pair): return pair._replace(a=1)._asdict()"),
        ("dynlive_rl/network.py", "def f():\n    from .builder import Builder"),
        ("dynlive_rl/network.py", "if TYPE_CHECKING:\n    from .builder import Builder"),
    ],
)
def test_what_is_allowed_is_not_taken_for_a_violation(path, line, tmp_path):
    found = planted(tmp_path, path, line)
    assert [*wrong_ways(found), *reaches(found), *circles(found)] == []


# -- what importing brings along ---------------------------------------------------------------------------------------


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
