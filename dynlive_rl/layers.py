"""Layer: neurons that fire together."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Layer:
    """Neurons that fire together, and what they have in common.

    Attributes
    ----------
    ids
        The neurons.
    kind
        Whether they hold outside values, are read by other neurons only, or are what the network says.
    activation
        The name of their activation.
    """

    ids: tuple[int, ...]
    kind: Literal["input", "hidden", "output"]
    activation: str = "identity"
