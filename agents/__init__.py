"""Agents that play Gymnasium environments with dynamic-live networks."""

from .agent import DynLiveAgent
from .config import AgentConfig, LiveConfig
from .evaluation import Evaluation
from .training import Report

__all__ = ["AgentConfig", "DynLiveAgent", "Evaluation", "LiveConfig", "Report"]
