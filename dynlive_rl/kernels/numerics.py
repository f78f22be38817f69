"""How kernels are compiled, the activations with their slopes, and random numbers without global state."""

from math import exp

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from .jit import jit_inline, jit_reduction
from .layout import ActivationCode


def logistic(x):
    """Logistic function 1 / (1 + exp(-x)): exact in float64, a rational function within 5e-5 in float32."""
    raise RuntimeError("only for compiled code")


@overload(logistic, jit_options={"error_model": "numpy"})
def _logistic(x):
    if x == types.float64:
        return lambda x: 1.0 / (1.0 + exp(-x))

    # The continued fraction of tanh(x / 2), cut off after x⁷: it has no call and one division, so loops vectorise.
    c0, c1, c2, c3 = np.float32(135135), np.float32(17325), np.float32(378), np.float32(1)
    d1, d2, d3 = np.float32(62370), np.float32(3150), np.float32(28)
    half, edge, one = np.float32(0.5), np.float32(4.97), np.float32(1)

    def fast(x):
        h = half * x
        h = -edge if h < -edge else h
        h = edge if h > edge else h
        y = h * h
        a = half + half * h * (c0 + y * (c1 + y * (c2 + y * c3))) / (c0 + y * (d1 + y * (d2 + y * d3)))
        return one if a > one else a

    return fast


@intrinsic
def call_address(typingctx, address, x):
    """Call the C function double → double at an address: a user's activation, compiled apart from the kernels."""

    def codegen(context, builder, signature, arguments):
        function = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()])
        return builder.call(builder.inttoptr(arguments[0], function.as_pointer()), [arguments[1]])

    return types.float64(types.int64, types.float64), codegen


@jit_inline
def fire(code, drive, power, gain, threshold, custom):
    """Output of one neuron: activation of its drive s, in [0, 1] (LINEAR and RECTIFIER have no such bounds)."""
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
    """Return the derivative of `fire` with respect to the drive, as it was when it fired.

    At the edges of relu's linear piece it is 0. Those with a threshold are judged by their output, because it may have
    moved since.
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
    """`fire` a sigmoid neuron for a batch: drive[t - 1, j, :] is read, output[t, j, :] overwritten."""
    for b in range(drive.shape[2]):
        output[t, j, b] = logistic(gain * (drive[t - 1, j, b] - threshold))


@jit_inline
def fire_other(code, drive, output, t, j, power, gain, threshold, custom):
    """`fire` any other neuron for a batch: drive[t - 1, j, :] is read, output[t, j, :] overwritten."""
    for b in range(drive.shape[2]):
        output[t, j, b] = fire(code, drive[t - 1, j, b], power, gain, threshold, custom)


@jit_inline
def bounded(error):
    """Keep an error so small that its square is a number, even where credit explodes on its way through the cycles."""
    limit = type(error)(1e12)
    return min(max(error, -limit), limit)


@jit_inline
def slope_sigmoid(output, credit, t, j, gain):
    """Turn a batch of a sigmoid neuron's credit, credit[t, j, :], into errors, credit · slope, in place."""
    one = type(gain)(1)
    for b in range(credit.shape[2]):
        a = output[t, j, b]
        credit[t, j, b] = bounded(credit[t, j, b] * gain * a * (one - a))


@jit_inline
def slope_other(code, drive, output, credit, t, j, power, gain, threshold, custom):
    """Turn a batch of any other neuron's credit, credit[t, j, :], into errors, credit · slope, in place."""
    for b in range(credit.shape[2]):
        slant = slope(code, drive[t - 1, j, b], output[t, j, b], power, gain, threshold, custom)
        credit[t, j, b] = bounded(credit[t, j, b] * slant)


@jit_reduction
def total(values):
    """Sum of a row."""
    result = type(values[0])(0)
    for k in range(values.size):
        result += values[k]
    return result


@jit_reduction
def dot(a, b):
    """Sum of the products of two rows."""
    result = type(a[0])(0)
    for k in range(a.size):
        result += a[k] * b[k]
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
    """Return the sums of the products of credit[t, j, :] with four rows output[t_k, i_k, :]."""
    s0 = s1 = s2 = s3 = type(credit[0, 0, 0])(0)
    for b in range(credit.shape[2]):
        e = credit[t, j, b]
        s0 += e * output[t0, i0, b]
        s1 += e * output[t1, i1, b]
        s2 += e * output[t2, i2, b]
        s3 += e * output[t3, i3, b]
    return s0, s1, s2, s3


@jit_reduction
def eight_dots(credit, t, j, output, t0, t1, t2, t3, t4, t5, t6, t7, i0, i1, i2, i3, i4, i5, i6, i7):
    """Return the sums of the products of credit[t, j, :] with eight rows output[t_k, i_k, :]."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = type(credit[0, 0, 0])(0)
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
