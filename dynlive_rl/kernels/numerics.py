"""Activations with their slopes, and sums: the arithmetic inside every loop."""

from ctypes import CFUNCTYPE, c_double
from math import exp

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import overload

from .jit import intrinsic_or, jit_inline, jit_reduction
from .layout import ActivationCode


def logistic(x):
    """Logistic function σ(x) = 1 / (1 + exp(-x)): exact in float64, a rational function within 5e-5 in float32."""
    return _rational(x) if isinstance(x, np.float32) else 1.0 / (1.0 + np.exp(-x))


@overload(logistic, jit_options={"error_model": "numpy"})
def _logistic(x):
    return _exact if x == types.float64 else _rational


def _exact(x):
    return 1.0 / (1.0 + exp(-x))


# The continued fraction of tanh(x / 2), cut off after x⁷: it has no call and one division, so loops vectorise.
_P0, _P1, _P2, _P3 = np.float32(135135), np.float32(17325), np.float32(378), np.float32(1)
_Q1, _Q2, _Q3 = np.float32(62370), np.float32(3150), np.float32(28)
_HALF, _EDGE, _ONE = np.float32(0.5), np.float32(4.97), np.float32(1)


def _rational(x):
    h = _HALF * x
    h = -_EDGE if h < -_EDGE else h
    h = _EDGE if h > _EDGE else h
    y = h * h
    a = _HALF + _HALF * h * (_P0 + y * (_P1 + y * (_P2 + y * _P3))) / (_P0 + y * (_Q1 + y * (_Q2 + y * _Q3)))
    return _ONE if a > _ONE else a


def _call(address, x):
    return CFUNCTYPE(c_double, c_double)(int(address))(x)


@intrinsic_or(_call)
def call_address(typingctx, address, x):
    """Call the C function double → double at an address: a user's activation, compiled apart from the kernels."""

    def codegen(context, builder, signature, arguments):
        function = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()])
        return builder.call(builder.inttoptr(arguments[0], function.as_pointer()), [arguments[1]])

    return types.float64(types.int64, types.float64), codegen


@jit_inline
def fire(code, drive, power, gain, threshold, custom):
    """Output a = f(s) of one neuron, in [0, 1] (LINEAR and RECTIFIER have no such bounds).

    code: its `ActivationCode`; drive: s; power, gain, threshold: its own; custom (k, 2): addresses of user activations.
    SIGMOID is σ(z) and RELU clip(z, 0, 1) of z = gain (s - threshold), LINEAR and RECTIFIER are z and max(z, 0), IDENTITY is
    s and POWER s^power.
    """
    real = type(drive)
    zero, one = real(0), real(1)
    if code == ActivationCode.SIGMOID:
        return logistic(gain * (drive - threshold))
    if code == ActivationCode.LINEAR:
        return gain * (drive - threshold)
    if code == ActivationCode.RECTIFIER:
        return max(gain * (drive - threshold), zero)
    if code == ActivationCode.IDENTITY:
        a = drive
    elif code == ActivationCode.POWER:
        a = drive * drive if power == real(2) else drive**power
    elif code == ActivationCode.RELU:
        a = gain * (drive - threshold)
    else:
        a = real(call_address(custom[code - ActivationCode.CUSTOM, 0], np.float64(drive)))
    return min(max(a, zero), one)


@jit_inline
def slope(code, drive, output, power, gain, threshold, custom):
    """Slope f'(s) of one neuron as it was when it fired with drive s and output a; arguments as in `fire`.

    SIGMOID: gain a (1 - a); RELU: gain where 0 < a < 1, else 0, and LINEAR and RECTIFIER alike; IDENTITY: 1;
    POWER: power s^(power - 1). Those with a threshold are judged by their output, because it may have moved since.
    """
    real = type(drive)
    if code == ActivationCode.SIGMOID:
        return gain * output * (real(1) - output)
    if code == ActivationCode.IDENTITY:
        return real(1)
    if code == ActivationCode.POWER:
        return power * drive if power == real(2) else power * drive ** (power - real(1))
    if code == ActivationCode.RELU:
        return gain if real(0) < output < real(1) else real(0)
    if code == ActivationCode.LINEAR:
        return gain
    if code == ActivationCode.RECTIFIER:
        return gain if output > real(0) else real(0)
    return real(call_address(custom[code - ActivationCode.CUSTOM, 1], np.float64(drive)))


@jit_inline
def fire_sigmoid(drive, output, t, j, gain, threshold):
    """`fire` a sigmoid neuron j for a batch: output[t, j, :] = σ(gain (drive[t - 1, j, :] - threshold)).

    drive (t, n, b); output (t + 1, n, b), of which one row is overwritten; gain, threshold: the neuron's.
    """
    for b in range(drive.shape[2]):
        output[t, j, b] = logistic(gain * (drive[t - 1, j, b] - threshold))


@jit_inline
def fire_other(code, drive, output, t, j, power, gain, threshold, custom):
    """`fire` any other neuron j for a batch: output[t, j, :] = f(drive[t - 1, j, :]); arguments as above and in `fire`."""
    for b in range(drive.shape[2]):
        output[t, j, b] = fire(code, drive[t - 1, j, b], power, gain, threshold, custom)


@jit_inline
def bounded(error):
    """Keep an error so small that its square is a number, even where credit explodes on its way through the cycles."""
    limit = type(error)(1e12)
    return min(max(error, -limit), limit)


@jit_inline
def slope_sigmoid(output, credit, t, j, gain):
    """Turn a batch of a sigmoid neuron's credit into errors, in place: e = ρ gain a (1 - a).

    output (t + 1, n, b) holds a; credit (t + 1, n, b) holds ρ in its row [t, j, :], and e afterwards; gain: the neuron's.
    """
    one = type(gain)(1)
    for b in range(credit.shape[2]):
        a = output[t, j, b]
        credit[t, j, b] = bounded(credit[t, j, b] * gain * a * (one - a))


@jit_inline
def slope_other(code, drive, output, credit, t, j, power, gain, threshold, custom):
    """Turn a batch of any other neuron's credit into errors, in place: e = ρ f'(s); arguments as above and in `slope`."""
    for b in range(credit.shape[2]):
        slant = slope(code, drive[t - 1, j, b], output[t, j, b], power, gain, threshold, custom)
        credit[t, j, b] = bounded(credit[t, j, b] * slant)


@jit_reduction
def total(values):
    """Sum of a row, of any length."""
    result = values.dtype.type(0)
    for k in range(values.size):
        result += values[k]
    return result


@jit_reduction
def dot(one, other):
    """Sum of the products of two rows of one length."""
    result = one.dtype.type(0)
    for k in range(one.size):
        result += one[k] * other[k]
    return result


@jit_inline
def count_at_most(values, limit):
    """Count the values of a row that are at most `limit`."""
    count = 0
    for k in range(values.size):
        count += values[k] <= limit
    return count


@jit_reduction
def four_dots(credit, t, j, output, t0, t1, t2, t3, i0, i1, i2, i3):
    """Return Σ_b credit[t, j, b] output[t_k, i_k, b] for four sources i_k at their references t_k; both (t + 1, n, b)."""
    s0 = s1 = s2 = s3 = credit.dtype.type(0)
    for b in range(credit.shape[2]):
        e = credit[t, j, b]
        s0 += e * output[t0, i0, b]
        s1 += e * output[t1, i1, b]
        s2 += e * output[t2, i2, b]
        s3 += e * output[t3, i3, b]
    return s0, s1, s2, s3


@jit_reduction
def eight_dots(credit, t, j, output, t0, t1, t2, t3, t4, t5, t6, t7, i0, i1, i2, i3, i4, i5, i6, i7):
    """Return Σ_b credit[t, j, b] output[t_k, i_k, b] for eight sources i_k at their references t_k; both (t + 1, n, b)."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = credit.dtype.type(0)
    for b in range(credit.shape[2]):
        e = credit[t, j, b]
        s0 += e * output[t0, i0, b]
        s1 += e * output[t1, i1, b]
        s2 += e * output[t2, i2, b]
        s3 += e * output[t3, i3, b]
        s4 += e * output[t4, i4, b]
        s5 += e * output[t5, i5, b]
        s6 += e * output[t6, i6, b]
        s7 += e * output[t7, i7, b]
    return s0, s1, s2, s3, s4, s5, s6, s7
