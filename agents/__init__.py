"""Agents that play Gymnasium environments with dynamic-live networks."""

from .agent import DynLiveAgent
from .config import (
    RECURRENT,
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
from .recurrence_config import RecurrenceConfig
from .reports import EventCallback, Report

__all__ = [
    "RECURRENT",
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
    "RecurrenceConfig",
    "RehearsalConfig",
    "Report",
    "WorldChangeConfig",
]
