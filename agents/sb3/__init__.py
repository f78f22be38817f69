"""The tools of stable-baselines3, on an agent: its vector environments, callbacks, logger, monitor files and zoo.

Each part needs only what it wraps: `Logger` with TensorBoard tensorboardX, `write_monitor` nothing, and what wraps
stable-baselines3's own classes these.
"""

from typing import TYPE_CHECKING, Any

from .logger import Logger, TableWriter, TensorBoardWriter
from .vectors import FromVecEnv

if TYPE_CHECKING:
    from .model import DynLive
    from .monitor import MonitorFile

__all__ = ["DynLive", "FromVecEnv", "Logger", "MonitorFile", "TableWriter", "TensorBoardWriter"]


def __getattr__(name: str) -> Any:
    # These are made of the agent, which loads parts of this package.
    if name == "DynLive":
        from .model import DynLive

        return DynLive
    if name == "MonitorFile":
        from .monitor import MonitorFile

        return MonitorFile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
