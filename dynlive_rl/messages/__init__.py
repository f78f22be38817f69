"""The message engine: the same network as one asyncio task per neuron, slow and written to be read."""

from .engine import MessageNetwork

__all__ = ["MessageNetwork"]
