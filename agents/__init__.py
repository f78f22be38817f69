"""Agents that play Gymnasium environments with dynamic-live networks."""

from .agent import DynLiveAgent
from .config import (
    ActionConfig,
    AgentConfig,
    ExplorationConfig,
    NetworkConfig,
    OptimisationConfig,
    RehearsalConfig,
    WorldChangeConfig,
)
from .evaluation import Evaluation
from .live_config import CellConfig, LiveConfig, LiveExplorationConfig, LiveOptimisationConfig
from .reports import EventCallback, Report

__all__ = [
    "ActionConfig",
    "AgentConfig",
    "CellConfig",
    "DynLiveAgent",
    "Evaluation",
    "EventCallback",
    "ExplorationConfig",
    "LiveConfig",
    "LiveExplorationConfig",
    "LiveOptimisationConfig",
    "NetworkConfig",
    "OptimisationConfig",
    "RehearsalConfig",
    "Report",
    "WorldChangeConfig",
]
