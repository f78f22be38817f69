"""Reinforcement learning with dynamic-live neural networks: neurons whose connections are themselves learned."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .activations import ActivationError, register_activation
from .builder import NetworkBuilder
from .checkpoint import CheckpointError
from .network import Network
from .rule import LearningRule

if TYPE_CHECKING:
    from .agents import DynLiveAgent
    from .estimators import DynLiveClassifier, DynLiveRegressor

__all__ = [
    "ActivationError",
    "CheckpointError",
    "DynLiveAgent",
    "DynLiveClassifier",
    "DynLiveRegressor",
    "LearningRule",
    "Network",
    "NetworkBuilder",
    "__version__",
    "register_activation",
]

_HERE = Path(__file__).parent
if not (_HERE / "agents").exists():  # a source checkout, whose agents and environments are folders beside this one
    __path__.append(str(_HERE.parent))


def __getattr__(name: str) -> Any:
    # The network stands without Gymnasium and scikit-learn; only asking for what needs them loads them.
    if name == "DynLiveAgent":
        from .agents import DynLiveAgent

        return DynLiveAgent
    if name in ("DynLiveClassifier", "DynLiveRegressor"):
        from . import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
