"""The named activations, and the registry for a user's own."""

import difflib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import cfunc
from numba.core.errors import NumbaError
from numpy.typing import NDArray

from .kernels.layout import ActivationCode


class ActivationError(ValueError):
    """An activation that cannot be used; the message says why in one sentence."""


@dataclass(frozen=True)
class Activation:
    """An activation f: [0, 1] → [0, 1], or one of a network of free strengths.

    Attributes
    ----------
    name
        What a builder calls it.
    code
        What the kernels call it.
    has_threshold
        Whether f looks at gain · (s - threshold), with a learned threshold, instead of the drive s.
    function, derivative
        A user's own, compiled to C functions double → double; None for the built-in ones.
    """

    name: str
    code: int
    has_threshold: bool = False
    function: Any = None
    derivative: Any = None

    def __deepcopy__(self, memo: Any) -> "Activation":
        return self

    def __reduce__(self) -> Any:
        # Compiled functions stay in their process: elsewhere it is what is registered under the name.
        if self.function is not None:
            return activation, (self.name,)
        return super().__reduce__()


_activations = {
    activation.name: activation
    for activation in (
        Activation("identity", ActivationCode.IDENTITY),
        Activation("square", ActivationCode.POWER),
        Activation("power", ActivationCode.POWER),
        Activation("relu", ActivationCode.RELU, has_threshold=True),
        Activation("sigmoid", ActivationCode.SIGMOID, has_threshold=True),
    )
}


# What classical neurons use: their identity and relu have no bounds, and identity too has a threshold.
_free = {
    "identity": Activation("identity", ActivationCode.LINEAR, has_threshold=True),
    "relu": Activation("relu", ActivationCode.RECTIFIER, has_threshold=True),
    "sigmoid": _activations["sigmoid"],
}


def activation(name: str, *, free: bool = False) -> Activation:
    """Look up an activation by name, for a network of free strengths or another.

    Raises
    ------
    ActivationError
        If there is none; with the nearest name.
    """
    if free:
        if name not in _free:
            raise ActivationError(f"neurons of free strengths are {', '.join(map(repr, _free))}, not {name!r}")
        return _free[name]
    try:
        return _activations[name]
    except (KeyError, TypeError):
        near = difflib.get_close_matches(str(name), _activations, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, _activations))}."
        raise ActivationError(
            f"unknown activation {name!r}: {hint} Your own must be registered first with register_activation"
        ) from None


def register_activation(
    name: str, function: Callable[[float], float], derivative: Callable[[float], float]
) -> Activation:
    """Make your own activation known under a name, compiled like the built-in ones.

    A saved network that uses it can be loaded wherever the same name has been registered.

    Parameters
    ----------
    name
        Any name that is not built in. Registering it again replaces it for networks built afterwards.
    function
        f(s) for a neuron's drive s in [0, 1]; must return numbers in [0, 1], and Numba must be able to compile it.
    derivative
        f'(s).

    Raises
    ------
    ActivationError
        If the name is taken, a function does not take exactly one number, cannot be compiled, leaves [0, 1], or the
        derivative disagrees with the function.

    Examples
    --------
    >>> _ = register_activation("cube", lambda s: s**3, lambda s: 3 * s**2)
    >>> _ = register_activation("double", lambda s: 2 * s, lambda s: 2.0)
    Traceback (most recent call last):
    ...
    dynlive_rl.activations.ActivationError: activation 'double' must stay in [0, 1], but f(1.0) = 2.0
    """
    if name in _activations and _activations[name].function is None:
        raise ActivationError(f"activation {name!r} is built in: choose another name")
    compiled_function = _compile(name, "function", function)
    compiled_derivative = _compile(name, "derivative", derivative)
    grid = np.linspace(0.0, 1.0, 1001)
    values = np.array([compiled_function.ctypes(s) for s in grid])
    slopes = np.array([compiled_derivative.ctypes(s) for s in grid])
    outside = np.maximum(-values, values - 1.0)
    worst = int(np.argmax(outside))  # the first that is not a number, if there is one
    if not outside[worst] <= 0.0:
        raise ActivationError(f"activation {name!r} must stay in [0, 1], but f({grid[worst]}) = {values[worst]}")
    if not np.isfinite(slopes).all():
        raise ActivationError(
            f"the derivative of activation {name!r} must be finite, but it is {slopes[~np.isfinite(slopes)][0]} "
            f"at {grid[~np.isfinite(slopes)][0]}"
        )
    differences = (values[2:] - values[:-2]) / (grid[2:] - grid[:-2])
    wrong = np.abs(differences - slopes[1:-1]) > 0.01 + 0.05 * np.abs(differences)
    if wrong.mean() > 0.1:  # a few points may lie on kinks
        worst = int(np.argmax(wrong)) + 1
        raise ActivationError(
            f"the derivative of activation {name!r} is {slopes[worst]:.4g} at {grid[worst]:.3f}, "
            f"but f changes there by {differences[worst - 1]:.4g}"
        )
    own = Activation(name, ActivationCode.CUSTOM, function=compiled_function, derivative=compiled_derivative)
    _activations[name] = own
    return own


def addresses(custom: Sequence[Activation]) -> NDArray[np.int64]:
    """Return the addresses (k, 2) of users' own activations and their derivatives, as the kernels take them."""
    return np.array([(own.function.address, own.derivative.address) for own in custom], np.int64).reshape(-1, 2)


def _compile(name: str, role: str, function: Callable[[float], float]) -> Any:
    try:
        inspect.signature(function).bind(0.5)
    except (TypeError, ValueError):
        raise ActivationError(
            f"the {role} of activation {name!r} must be callable with exactly one number, not {function!r}"
        ) from None
    try:
        # Never from Numba's cache: it takes two lambdas on one line for the same if only their constants differ.
        return cfunc("float64(float64)")(function)
    except NumbaError as error:
        reason = str(error).strip().splitlines()[0]
        raise ActivationError(f"Numba cannot compile the {role} of activation {name!r}: {reason}") from None
