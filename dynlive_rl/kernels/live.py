"""Live learning: recruited cells and an actor-critic with tags, one compiled call per environment step, nothing stored.

Cells are relu neurons that answer where the input is near the one they were born at, squared and divided by their
layer's sum (divisive normalisation). Every outside value z in [0, 1] reaches them on two rails, sin(πz/2) and cos(πz/2),
so that the product of two inputs says how near they are. A cell's strengths are the rails at its birth divided by their
sum. Layers get finer: each has half the radius of the one before. All cells of a layer's pool exist from the start; the
first `born` of them are alive, the others have no strengths yet.

One value neuron and one action neuron per option read all cells, with strengths that sum to at most 1 (the reserve). A
cell is born with a share of 1 / (2 · pool), which is neutral: a neuron's reading is Σ x (2 · pool · strength - 1).
"""

from math import cos, log, pi, sin, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arithmetic import borrowed, compiled, inlined, inner, random_uniform, summing, total
from .arrays import Integer
from .policy import MEAN, SCALED, STEP, TERMINATED, TRUNCATED, VARIANCE, all_moderate, encode, log_softmax, pick
from .track import COLLAPSES, STEPS, SURPRISE, TRACKED, judge_episode

# Rows of LiveAgent.cell after its strengths, counted from the end.
RAILS_SUM, USAGE = -2, -1
# Rows of LiveAgent.trace of an environment: what the cells say now and said before, then a tag per output neuron.
NOW, BEFORE, TAGS = 0, 1, 2
# Entries of LiveAgent.level.
RANGE, ERROR_SQUARE, SEEN, SPREAD = 0, 1, 2, 3
LEVELS = 4
EPISODES_JUDGED = 5
SIZES = 6  # entries at the start of an agent's buffer
MARGIN = 8.0  # values and targets stay below the range of the value neuron divided by this


class LiveSettings(NamedTuple):
    """The numbers of a configuration, see `dynlive_rl.agents.config`."""

    discount: float
    trace_decay: float
    critic_rate: float
    actor_rate: float
    entropy: float
    advantage_clip: float
    policy_range: float
    radius: float
    recruit_below: float
    mature: float
    usage_span: float
    established_episodes: int
    established_steps: int
    collapse: float
    learned: float
    setback: float
    content_within: float


SETTINGS = len(LiveSettings._fields)


class LiveAgent(NamedTuple):
    """Everything a live step reads and writes.

    There are c cells in l layers, o options of d choices, f outside values and e environments. All of it lies in one
    buffer, because a compiled call takes long to unpack many arrays, and named tuples above all: 8 of the 10 microseconds
    of such a call. `unfold` says what is where.
    """

    cell: NDArray[np.float32]  # (2 f + 2, c) strengths by source, the rails' sum at birth, usage
    born: Integer  # (l,) living cells of each layer, the first ones of its c / l
    strength: NDArray[np.float32]  # (1 + o, c) of the value neuron and the action neurons
    trace: NDArray[np.float32]  # (e, 3 + o, c)
    running: NDArray[np.float64]  # (2, e) steps and return of the episode so far
    recent: NDArray[np.float64]  # (2, EPISODES_JUDGED) steps and returns of the last episodes
    foretold: NDArray[np.float64]  # (e,) what the last step said the next value was
    chance: NDArray[np.float64]  # (e, o) the policy that chose the next action
    choices: Integer  # (d + 1,) where each choice's options start
    action: Integer  # (e, d) the next action
    scaler: NDArray[np.float64]  # (3, f) whether scaled, running mean, running variance
    rails: NDArray[np.float64]  # (2 f,) running means
    level: NDArray[np.float64]  # (LEVELS,)
    track: NDArray[np.float64]  # (track.TRACKED,)
    random: NDArray[np.uint64]  # (4,)
    settings: NDArray[np.float64]  # a LiveSettings
    brought: NDArray[np.float64]  # (4, e) what a step brought: who stepped, rewards, who terminated, who was truncated


def new_buffer(
    features: int, options: int, choices: int, layers: int, pool: int, environments: int
) -> NDArray[np.float64]:
    """Return the buffer of a new agent, all 0 but for its sizes f, o, d, l, c, e at the start, as whole numbers."""
    wholes = SIZES + layers + choices + 1 + environments * choices + 4
    doubles = environments * (3 + options) + 2 * EPISODES_JUDGED + 5 * features + LEVELS + TRACKED
    outside = SETTINGS + 4 * environments
    singles = (2 * features + 2 + 1 + options + environments * (3 + options)) * pool
    buffer = np.zeros(wholes + doubles + outside + -(-singles // 2))
    buffer.view(np.int64)[:SIZES] = features, options, choices, layers, pool, environments
    return buffer


def _unfold(take):
    """Make a function that returns the parts of an agent's buffer by name; `take` makes views of it."""

    def unfold(buffer):
        whole, single = buffer.view(np.int64), buffer.view(np.float32)
        f, o, d, layers, c, e = whole[0], whole[1], whole[2], whole[3], whole[4], whole[5]
        born, at = take(whole, SIZES, 1, layers)
        choices, at = take(whole, at, 1, d + 1)
        action, at = take(whole, at, e, d)
        random, at = take(whole, at, 1, 4)
        running, at = take(buffer, at, 2, e)
        recent, at = take(buffer, at, 2, EPISODES_JUDGED)
        foretold, at = take(buffer, at, 1, e)
        chance, at = take(buffer, at, e, o)
        scaler, at = take(buffer, at, 3, f)
        rails, at = take(buffer, at, 1, 2 * f)
        level, at = take(buffer, at, 1, LEVELS)
        tracked, at = take(buffer, at, 1, TRACKED)
        settings, at = take(buffer, at, 1, SETTINGS)
        brought, at = take(buffer, at, 4, e)
        cell, at = take(single, 2 * at, 2 * f + 2, c)
        strength, at = take(single, at, 1 + o, c)
        trace, at = take(single, at, e * (3 + o), c)
        return LiveAgent(
            cell, born[0], strength, trace.reshape(e, 3 + o, c), running, recent, foretold[0], chance, choices[0], action,
            scaler, rails[0], level[0], tracked[0], random[0].view(np.uint64), settings[0], brought,
        )  # fmt: skip

    return unfold


def _take(buffer, start, rows, columns):
    """Return rows of a buffer from a position on, and the position after them."""
    stop = start + rows * columns
    return buffer[start:stop].reshape(rows, columns), stop


@inlined
def _borrow(buffer, start, rows, columns):
    """As `_take`, with views that are counted by nobody."""
    return borrowed(buffer, start, rows, columns), start + rows * columns


unfold = _unfold(_take)
unfolded = inlined(_unfold(_borrow))  # within kernels, as long as their caller holds the buffer


@inlined
def named(numbers):
    """Return the settings by name."""
    n = numbers
    return LiveSettings(
        n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14], n[15], n[16]
    )  # fmt: skip


@summing
def product(a, b):
    """Return the sum of the products of two rows."""
    result = np.float32(0)
    for i in range(a.size):
        result += a[i] * b[i]
    return result


@summing
def follow_tag(strength, tag, cells, fade, mark, pace, bonus):
    """Renew a tag, move the strengths along it (and by a bonus where cells are active), and return the strengths' sum.

    What has all but faded becomes 0: the smallest numbers there are take a hundred times as long to multiply.
    """
    whole = np.float32(0)
    for i in range(tag.size):
        z = fade * tag[i] + mark * cells[i]
        z = z if abs(z) > np.float32(1e-15) else np.float32(0)
        w = strength[i] + pace * z + bonus * cells[i]
        w = w if w > np.float32(0) else np.float32(0)
        tag[i] = z
        strength[i] = w
        whole += w
    return whole


@inlined
def add_scaled(sums, values, factor):
    """Add a multiple of a row to another."""
    for i in range(sums.size):
        sums[i] += factor * values[i]


@inlined
def answer(outputs, rails_sum, half, steep):
    """Turn the sums of cells into relu(1 - distance² / radius²) squared, in place."""
    zero, one = np.float32(0), np.float32(1)
    for i in range(outputs.size):
        near = one - steep * (half - rails_sum[i] * outputs[i])
        near = near if near > zero else zero
        outputs[i] = near * near


@inlined
def fire_layer(cell, sources, first, stop, square_radius, outputs):
    """Fire the cells first to stop; their outputs are not yet divided by their sum."""
    layer = outputs[first:stop]
    layer[:] = 0
    for j in range(sources.size):
        add_scaled(layer, cell[j, first:stop], sources[j])
    answer(layer, cell[RAILS_SUM, first:stop], np.float32(sources.size // 2), np.float32(2.0 / square_radius))


@inlined
def use(usage, outputs, keep):
    """Let the usage of cells fade, and add what they say now."""
    for i in range(usage.size):
        usage[i] = keep * usage[i] + outputs[i]


@inlined
def divide(outputs):
    """Divide a layer's outputs by their sum."""
    whole = total(outputs)
    if whole > np.float32(0):
        share = np.float32(1) / whole
        for i in range(outputs.size):
            outputs[i] *= share


@inlined
def any_at_least(values, threshold):
    """Tell whether any value is above 0 and not below a threshold."""
    count = np.int32(0)
    for i in range(values.size):
        count += np.int32((values[i] >= threshold) & (values[i] > np.float32(0)))
    return count > 0


# Numbers that are not negative have the order of their bits read as whole numbers, and for these the compiler vectorises
# the search: a tenth of the time.


@inlined
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


@inlined
def smallest(values):
    """First position of the smallest of values ≥ 0."""
    bits, where = values.view(np.int32), 0
    best = bits[0]
    for i in range(bits.size):
        best = min(best, bits[i])
    while bits[where] != best:
        where += 1
    return where


# These functions take rows and not the agent: handing on its many arrays costs more than the arithmetic.


@inlined
def sense(scaler, observation, sources):
    """Put an observation (f,) onto the rails (2 f,), scaled by the running statistics."""
    f = observation.size
    encode(scaler, observation, sources)
    for i in range(f):
        angle = 0.5 * pi * min(max(sources[i], np.float32(0)), np.float32(1))
        sources[i] = sin(angle)
        sources[f + i] = max(cos(angle), 0.0)


@inlined
def notice(scaler, rails, level, observation, sources):
    """Let the running statistics see an observation, and put it onto the rails."""
    level[SEEN] += 1
    for i in range(observation.size):
        if scaler[SCALED, i] > 0:
            x = observation[i]
            distance = x - scaler[MEAN, i]
            scaler[MEAN, i] += distance / level[SEEN]
            scaler[VARIANCE, i] += (distance * (x - scaler[MEAN, i]) - scaler[VARIANCE, i]) / level[SEEN]
    sense(scaler, observation, sources)
    spread = float(observation.size)
    for j in range(rails.size):
        rails[j] += (sources[j] - rails[j]) / level[SEEN]
        spread -= rails[j] * rails[j]
    level[SPREAD] = max(spread, 1e-3)


@inlined
def square_radius(radius, spread, layer):
    """Radius² of a layer's cells: a share of the mean square distance of inputs to their mean, a quarter per layer."""
    return radius * spread / 4.0**layer


@inlined
def fire_cells(cell, born, radius, spread, sources, outputs):
    """Compute the outputs (c,) of all cells, for looking only."""
    size = outputs.size // born.size
    for layer in range(born.size):
        first, stop = layer * size, layer * size + born[layer]
        fire_layer(cell, sources, first, stop, square_radius(radius, spread, layer), outputs)
        divide(outputs[first:stop])


@inlined
def nearest_is_mature(usage, outputs, mature):
    """Tell whether the nearest of some cells has been used enough for a finer one to be born beside it."""
    nearest = largest(outputs)
    return nearest >= 0 and usage[nearest] >= mature


@inlined
def fire_and_recruit(cell, born, strength, trace, settings, spread, sources, outputs):
    """Compute the outputs (c,) of all cells; where the input is far from all cells of a layer, one is born there.

    A finer layer waits until the nearest cell of the one before is mature. Where a layer's pool is used up, the least
    used cell is retired, if it has hardly been used lately.
    """
    size = outputs.size // born.size
    keep = np.float32(1.0 - 1.0 / settings.usage_span)
    near = np.float32(settings.recruit_below**2)
    for layer in range(born.size):
        first = layer * size
        stop = first + born[layer]
        square = square_radius(settings.radius, spread, layer)
        fire_layer(cell, sources, first, stop, square, outputs)
        before = max(layer - 1, 0)
        a, b = before * size, before * size + born[before]
        if not any_at_least(outputs[first:stop], near) and (
            layer == 0 or nearest_is_mature(cell[USAGE, a:b], outputs[a:b], settings.mature)
        ):
            place = stop if born[layer] < size else first + smallest(cell[USAGE, first:stop])
            if place == stop or cell[USAGE, place] < np.float32(1):
                born[layer] += place == stop
                stop = first + born[layer]
                give_birth(cell, strength, trace, sources, place)
                fire_layer(cell, sources, first, stop, square, outputs)
        divide(outputs[first:stop])
        use(cell[USAGE, first:stop], outputs[first:stop], keep)


@inner
def give_birth(cell, strength, trace, sources, place):
    """Make a cell the neuron that answers to these sources: strengths in proportion to them, neutral to all who read it."""
    whole = total(sources)
    for j in range(sources.size):
        cell[j, place] = sources[j] / whole
    cell[RAILS_SUM, place] = whole
    cell[USAGE, place] = 2
    neutral = 0.5 / strength.shape[1]
    for k in range(strength.shape[0]):
        strength[k, place] = neutral
    for e in range(trace.shape[0]):
        for k in range(trace.shape[1]):
            trace[e, k, place] = 0


@inlined
def read(strength, born, cells):
    """Return an output neuron's reading: Σ x (2 · pool · strength - 1) over all living cells."""
    size = cells.size // born.size
    result = 0.0
    for layer in range(born.size):
        first = layer * size
        stop = first + born[layer]
        result += 2.0 * cells.size * product(strength[first:stop], cells[first:stop]) - total(cells[first:stop])
    return result


@inlined
def policy_of(strength, born, choices, policy_range, cells, chance, log_chance):
    """Probability of every option, and its logarithm: softmax of the action neurons' readings, choice by choice."""
    readings = np.empty(chance.size)
    for k in range(chance.size):
        readings[k] = read(strength[1 + k], born, cells)
    for d in range(choices.size - 1):
        log_softmax(readings, choices[d], choices[d + 1], policy_range, chance, log_chance)


@inlined
def act(strength, born, choices, policy_range, cells, chance, action, random):
    """Choose the next action (d,) of an environment from what its cells say now, and note with which chances (o,)."""
    log_chance = np.empty(chance.size)
    policy_of(strength, born, choices, policy_range, cells, chance, log_chance)
    for d in range(choices.size - 1):
        number = random_uniform(random)
        action[d] = pick(chance, choices[d], choices[d + 1], number) - choices[d]


@inner
def move(strength, tag, cells, born, fade, mark, pace, bonus):
    """Let an output neuron learn: tags (c,), strengths (c,), and their sum at most 1."""
    pool = strength.size
    size = pool // born.size
    fade, mark = np.float32(fade), np.float32(mark)
    pace, bonus = np.float32(pace / (2.0 * pool)), np.float32(bonus / (2.0 * pool))
    whole = 0.0
    for layer in range(born.size):
        first = layer * size
        stop = first + born[layer]
        whole += follow_tag(strength[first:stop], tag[first:stop], cells[first:stop], fade, mark, pace, bonus)
    if whole > 1.0:
        share = np.float32(1.0 / whole)
        for i in range(pool):
            strength[i] *= share


@inner
def widen(level, strength, born, size):
    """Widen the value neuron's range until values up to `size` are small in it; what the cells stand for stays."""
    shrink = 1.0
    while level[RANGE] < MARGIN * size:
        level[RANGE] *= 2.0
        shrink *= 0.5
    neutral = np.float32(0.5 / strength.size)
    per_layer = strength.size // born.size
    for layer in range(born.size):
        for i in range(layer * per_layer, layer * per_layer + born[layer]):
            strength[i] = neutral + np.float32(shrink) * (strength[i] - neutral)


@inner
def start_afresh(agent):
    """Let all output neurons read the cells as at their birth, and forget how large values are."""
    size = agent.strength.shape[1] // agent.born.size
    for layer in range(agent.born.size):
        agent.strength[:, layer * size : layer * size + agent.born[layer]] = 0.5 / agent.strength.shape[1]
    agent.trace[:, TAGS:] = 0
    agent.level[RANGE] = 0
    agent.foretold[:] = 0


@inlined
def learn(strength, born, trace, chance, choices, action, foretold, level, track, settings, reward, terminated):
    """Learn from one step of an environment: from BEFORE with its action (d,) to NOW.

    trace (3 + o, c) and chance (o,) are the environment's; foretold (1,) is what the step before said its value was.
    """
    before = trace[BEFORE]
    expected = read(strength[0], born, before)
    following = 0.0 if terminated else read(strength[0], born, trace[NOW])
    if level[RANGE] == 0 and reward != 0:
        level[RANGE] = 2.0 * MARGIN * abs(reward)
    target = reward + settings.discount * level[RANGE] * following
    widen_to = max(abs(target), abs(level[RANGE] * expected))
    if MARGIN * widen_to > level[RANGE]:
        before_widening = level[RANGE]
        widen(level, strength[0], born, widen_to)
        expected *= before_widening / level[RANGE]
        following *= before_widening / level[RANGE]
    if level[RANGE] == 0:
        return  # no reward so far: nothing is better or worse than anything
    error = target - level[RANGE] * expected
    steps = track[STEPS]
    level[ERROR_SQUARE] += (error * error - level[ERROR_SQUARE]) * max(1e-3, 1.0 / steps)
    track[SURPRISE] = level[ERROR_SQUARE] * (MARGIN / level[RANGE]) ** 2
    clip = settings.advantage_clip
    advantage = min(max(error / sqrt(level[ERROR_SQUARE] + 1e-30), -clip), clip)

    active = 0.0
    size = before.size // born.size
    for layer in range(born.size):
        cells = before[layer * size : layer * size + born[layer]]
        active += product(cells, cells)
    share = 1.0 / max(active, 1e-6)
    fade = settings.discount * settings.trace_decay
    # The tag of true online TD(λ) (van Seijen & Sutton, 2014): what is already marked is marked less.
    overlap = 0.0
    for layer in range(born.size):
        first = layer * size
        stop = first + born[layer]
        overlap += product(trace[TAGS, first:stop], before[first:stop])
    rate = settings.critic_rate * share
    shift = expected - foretold[0] / level[RANGE]  # by what the last step's learning moved this very value
    pace = error / level[RANGE] + shift
    move(strength[0], trace[TAGS], before, born, fade, rate * (1.0 - fade * overlap), pace, -rate * shift)
    foretold[0] = level[RANGE] * following

    rate = settings.actor_rate * share / settings.policy_range
    for d in range(choices.size - 1):
        chosen = choices[d] + action[d]
        entropy = 0.0
        for k in range(choices[d], choices[d + 1]):
            entropy -= chance[k] * log(chance[k] + 1e-12)
        for k in range(choices[d], choices[d + 1]):
            mark = (1.0 if k == chosen else 0.0) - chance[k]
            widening = -chance[k] * (log(chance[k] + 1e-12) + entropy)
            tag, bonus = trace[TAGS + 1 + k], rate * settings.entropy * widening
            move(strength[1 + k], tag, before, born, fade, rate * mark, advantage, bonus)


@compiled
def begin(buffer, starting, observations):
    """Start an episode in every environment e where starting[e], at observations[e], and choose its first action.

    Returns False, and does nothing, if an observation is not a number within ±1e30.
    """
    if not all_moderate(observations):
        return False
    agent = unfolded(buffer)
    settings = named(agent.settings)
    strength, born, choices, level = agent.strength, agent.born, agent.choices, agent.level
    sources = np.empty(agent.rails.size, np.float32)
    for env in range(observations.shape[0]):
        if starting[env]:
            cells = agent.trace[env, NOW]
            agent.trace[env, TAGS:] = 0
            agent.running[:, env] = 0
            notice(agent.scaler, agent.rails, level, observations[env], sources)
            fire_and_recruit(agent.cell, born, strength, agent.trace, settings, level[SPREAD], sources, cells)
            agent.foretold[env] = level[RANGE] * read(strength[0], born, cells)
            act(
                strength,
                born,
                choices,
                settings.policy_range,
                cells,
                agent.chance[env],
                agent.action[env],
                agent.random,
            )
    return True


@compiled
def observe(buffer, observations):
    """Learn from one step of every environment that stepped, and choose the next actions of those that go on.

    The agent's `brought` says what the step brought, observations (e, f) where it led. Returns False, and learns nothing,
    if an observation or reward is not a number within ±1e30.
    """
    agent = unfolded(buffer)
    brought, settings = agent.brought, named(agent.settings)
    stepped, rewards, terminated, truncated = brought[0], brought[1], brought[2], brought[3]
    if not (all_moderate(observations) and all_moderate(brought)):
        return False
    strength, born, choices, level = agent.strength, agent.born, agent.choices, agent.level
    sources = np.empty(agent.rails.size, np.float32)
    for env in range(rewards.size):
        if stepped[env] != 0:
            trace, cells, chance, action = agent.trace[env], agent.trace[env, NOW], agent.chance[env], agent.action[env]
            trace[BEFORE] = cells
            notice(agent.scaler, agent.rails, level, observations[env], sources)
            fire_and_recruit(agent.cell, born, strength, agent.trace, settings, level[SPREAD], sources, cells)
            agent.track[STEPS] += 1
            learn(
                strength, born, trace, chance, choices, action, agent.foretold[env : env + 1], level, agent.track,
                settings, rewards[env], terminated[env] != 0,
            )  # fmt: skip
            agent.running[0, env] += 1
            agent.running[1, env] += rewards[env]
            kind = TERMINATED if terminated[env] != 0 else (TRUNCATED if truncated[env] != 0 else STEP)
            if kind == STEP:
                act(strength, born, choices, settings.policy_range, cells, chance, action, agent.random)
            else:
                collapses = agent.track[COLLAPSES]
                steps, episode_return = agent.running[0, env], agent.running[1, env]
                judge_episode(agent.track, agent.recent, steps, episode_return, kind, settings)
                if agent.track[COLLAPSES] > collapses:
                    start_afresh(agent)
    return True


@compiled
def predict(buffer, observations, deterministic, random, actions):
    """Write the policy's choices (b, d), its best or sampled ones, for every observation (b, f)."""
    agent = unfolded(buffer)
    settings = named(agent.settings)
    choices = agent.choices
    sources = np.empty(agent.rails.size, np.float32)
    cells = np.empty(agent.cell.shape[1], np.float32)
    chance, log_chance = np.empty(choices[-1]), np.empty(choices[-1])
    for b in range(observations.shape[0]):
        sense(agent.scaler, observations[b], sources)
        fire_cells(agent.cell, agent.born, settings.radius, agent.level[SPREAD], sources, cells)
        policy_of(agent.strength, agent.born, choices, settings.policy_range, cells, chance, log_chance)
        for d in range(choices.size - 1):
            start, stop = choices[d], choices[d + 1]
            if deterministic:
                actions[b, d] = np.argmax(chance[start:stop])
            else:
                actions[b, d] = pick(chance, start, stop, random_uniform(random)) - start
