"""The tools of stable-baselines3, on an agent: its vector environments, callbacks, logger, monitor files and zoo.

Each part needs only what it wraps: `Logger` with TensorBoard tensorboardX, `write_monitor` nothing, and what wraps
stable-baselines3's own classes these.
"""

from typing import TYPE_CHECKING, Any

from .logger import Logger, TableWriter, TensorBoardWriter
from .monitor import MonitorFile
from .vectors import FromVecEnv

if TYPE_CHECKING:
    from .model import DynLive

__all__ = ["DynLive", "FromVecEnv", "Logger", "MonitorFile", "TableWriter", "TensorBoardWriter"]


def __getattr__(name: str) -> Any:
    # The model is made of the agent, which loads parts of this package.
    if name == "DynLive":
        from .model import DynLive

        return DynLive
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
