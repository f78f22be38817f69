"""Recruited cells: the neurons that know one place each, of live learning.

Cells are relu neurons that answer where the input is near the one they were recruited at, squared and divided by their
layer's sum (divisive normalisation). Every observation feature z in [0, 1] reaches them as two, sin(πz/2) and cos(πz/2),
so that the product of two inputs says how near they are. A cell's strengths are the features where it was recruited
divided by their sum. Layers get finer: each has half the radius of the one before. All cells of a layer's pool exist from
the start; the first `num_cells` of them are alive, the others have no strengths yet.

These functions take rows and not the agent: handing on its many arrays costs more than the arithmetic.
"""

from math import cos, pi, sin

import numpy as np

from dynlive_rl.kernels.jit import jit_inline, jit_internal
from dynlive_rl.kernels.numerics import total

from .live_layout import CellRow
from .scaling import encode, update_scaler


@jit_inline
def add_scaled(sums, values, factor):
    """Add a multiple of a row to another."""
    for i in range(sums.size):
        sums[i] += factor * values[i]


@jit_inline
def kernel_response(outputs, feature_sum, half, steep):
    """Turn the sums (c,) of cells into relu(1 - distance² / radius²)², in place; distance² = 2 (half - feature_sum · sum)."""
    zero, one = np.float32(0), np.float32(1)
    for i in range(outputs.size):
        near = one - steep * (half - feature_sum[i] * outputs[i])
        near = near if near > zero else zero
        outputs[i] = near * near


@jit_inline
def fire_layer(cell, sources, first, stop, square_radius, outputs):
    """Fire the cells first to stop into outputs (c,), which are not yet divided by their sum.

    cell (2 f + 2, c); sources (2 f,), the encoded features.
    """
    layer = outputs[first:stop]
    layer[:] = 0
    for j in range(sources.size):
        add_scaled(layer, cell[j, first:stop], sources[j])
    kernel_response(
        layer, cell[CellRow.FEATURE_SUM, first:stop], np.float32(sources.size // 2), np.float32(2.0 / square_radius)
    )


@jit_inline
def decay_usage(usage, outputs, keep):
    """Let the usage (c,) of cells decay, and add their outputs (c,)."""
    for i in range(usage.size):
        usage[i] = keep * usage[i] + outputs[i]


@jit_inline
def divide(outputs):
    """Divide a layer's outputs by their sum."""
    whole = total(outputs)
    if whole > np.float32(0):
        share = np.float32(1) / whole
        for i in range(outputs.size):
            outputs[i] *= share


@jit_inline
def any_at_least(values, threshold):
    """Tell whether any value is above 0 and not below a threshold."""
    count = np.int32(0)
    for i in range(values.size):
        count += np.int32((values[i] >= threshold) & (values[i] > np.float32(0)))
    return count > 0


# Numbers that are not negative have the order of their bits read as whole numbers, and for these the compiler vectorises
# the search: a tenth of the time.


@jit_inline
def largest(values):
    """First position of the largest of values ≥ 0, -1 where there is none above 0."""
    bits, best, where = values.view(np.int32), np.int32(0), 0
    for i in range(bits.size):
        best = max(best, bits[i])
    if best == 0:
        return -1
    while bits[where] != best:
        where += 1
    return where


@jit_inline
def smallest(values):
    """First position of the smallest of values ≥ 0."""
    bits, where = values.view(np.int32), 0
    best = bits[0]
    for i in range(bits.size):
        best = min(best, bits[i])
    while bits[where] != best:
        where += 1
    return where


@jit_inline
def encode_features(scaler, sample, observation, sources):
    """Write the features (2 f,) of an observation (f,): sin and cos of π/2 times its encoding."""
    f = observation.size
    encode(scaler, sample, observation, sources)
    for i in range(f):
        angle = 0.5 * pi * min(max(sources[i], np.float32(0)), np.float32(1))
        sources[i] = sin(angle)
        sources[f + i] = max(cos(angle), 0.0)


@jit_inline
def observe_and_encode(scaler, sample, feature_mean, scalars, observation, sources):
    """Update the running statistics with an observation (f,), and write its features (2 f,).

    scaler (5, f), its samples, feature_mean (2 f,) and the record of scalars are changed in place.
    """
    scalars.observations += 1
    update_scaler(scaler, sample, observation)
    encode_features(scaler, sample, observation, sources)
    spread = float(observation.size)
    for j in range(feature_mean.size):
        feature_mean[j] += (sources[j] - feature_mean[j]) / scalars.observations
        spread -= feature_mean[j] * feature_mean[j]
    scalars.feature_spread = max(spread, 1e-3)


@jit_inline
def square_radius(radius, spread, layer):
    """Return radius² of a layer's cells: a share of the mean square distance of features to their mean, a quarter per layer."""
    return radius * spread / 4.0**layer


@jit_inline
def fire_cells(cell, num_cells, radius, spread, sources, outputs):
    """Write the outputs (c,) of all cells for features (2 f,), changing nothing else; num_cells (l,)."""
    size = outputs.size // num_cells.size
    for layer in range(num_cells.size):
        first, stop = layer * size, layer * size + num_cells[layer]
        fire_layer(cell, sources, first, stop, square_radius(radius, spread, layer), outputs)
        divide(outputs[first:stop])


@jit_inline
def nearest_is_mature(usage, outputs, mature):
    """Tell whether the nearest of some cells has been used enough for a finer one to be recruited beside it."""
    nearest = largest(outputs)
    return nearest >= 0 and usage[nearest] >= mature


@jit_inline
def fire_and_recruit(cell, num_cells, strength, trace, settings, spread, sources, outputs):
    """Write the outputs (c,) of all cells; where the features (2 f,) are far from all cells of a layer, recruit one there.

    A finer layer waits until the nearest cell of the one before is mature. Where a layer's pool is used up, the least used
    cell is retired, if it has hardly been used lately. cell (2 f + 2, c), num_cells (l,), strength (1 + a, c) and trace
    (e, 3 + a, c) are changed in place.
    """
    size = outputs.size // num_cells.size
    keep = np.float32(1.0 - 1.0 / settings.usage_span)
    near = np.float32(settings.recruit_below**2)
    for layer in range(num_cells.size):
        first = layer * size
        stop = first + num_cells[layer]
        square = square_radius(settings.radius, spread, layer)
        fire_layer(cell, sources, first, stop, square, outputs)
        before = max(layer - 1, 0)
        a, b = before * size, before * size + num_cells[before]
        if not any_at_least(outputs[first:stop], near) and (
            layer == 0 or nearest_is_mature(cell[CellRow.USAGE, a:b], outputs[a:b], settings.mature)
        ):
            place = stop if num_cells[layer] < size else first + smallest(cell[CellRow.USAGE, first:stop])
            if place == stop or cell[CellRow.USAGE, place] < np.float32(settings.retire_below):
                num_cells[layer] += place == stop
                stop = first + num_cells[layer]
                recruit_cell(cell, strength, trace, sources, place, settings.initial_usage)
                fire_layer(cell, sources, first, stop, square, outputs)
        divide(outputs[first:stop])
        decay_usage(cell[CellRow.USAGE, first:stop], outputs[first:stop], keep)


@jit_internal
def recruit_cell(cell, strength, trace, sources, place, usage):
    """Make a cell the neuron that answers to these features (2 f,): strengths in proportion to them, neutral to its readers."""
    whole = total(sources)
    for j in range(sources.size):
        cell[j, place] = sources[j] / whole
    cell[CellRow.FEATURE_SUM, place] = whole
    cell[CellRow.USAGE, place] = usage
    neutral = 0.5 / strength.shape[1]
    for k in range(strength.shape[0]):
        strength[k, place] = neutral
    for e in range(trace.shape[0]):
        for k in range(trace.shape[1]):
            trace[e, k, place] = 0
