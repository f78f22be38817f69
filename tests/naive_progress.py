"""What an agent keeps track of once more, slow and obvious: lists of all episodes, and what follows from them.

Written from the docstrings of `dynlive_rl.agents.kernels.progress` and of the configuration, and from sections 8, 10 and 11
of `docs/algorithm.md`.
"""

from dataclasses import dataclass, field
from math import sqrt

import numpy as np

NEVER, MASTERED, RELAPSED = "never", "mastered", "relapsed"


@dataclass
class NaiveProgress:
    """Episodes are tuples of a length, a return and how they ended: "terminated" or "truncated"."""

    config: object  # an AgentConfig or a LiveConfig
    steps: int = 0
    episodes: list = field(default_factory=list)
    task_returns: list = field(default_factory=list)  # of the present task, as are the means of the recent ones
    task_means: list = field(default_factory=list)
    task_start_step: int = 0
    best_mean_return: float = 0.0
    content: bool = False
    mastery: str = NEVER
    failures: int = 0
    failure_rate: float = 0.0
    partial_losses: int = 0
    task_changes: int = 0
    clock: float = 0.0
    entropy_clock: float = 0.0
    last_truncated_below_best: bool = False
    events: list = field(default_factory=list)  # what happened, in words

    # -- episodes ----------------------------------------------------------------------------------------------------

    @property
    def span(self):
        return max(self.task_returns) - min(self.task_returns)

    @property
    def terminated_lengths(self):
        return [length for length, _, end in self.episodes if end == "terminated"]

    @property
    def mean_terminated_length(self):
        mean = 0.0
        for number, length in enumerate(self.terminated_lengths, start=1):
            mean += (length - mean) / min(number, self.config.world_change.recent_episodes)
        return mean

    def judge(self, length, episode_return, end, explored=0.0):
        """Count an episode, of which a share was explored; returns the share of the gain that the recent ones lost."""
        change = self.config.world_change
        self.episodes.append((length, episode_return, end))
        self.task_returns.append(episode_return)
        highest = max(self.task_returns)
        self.last_truncated_below_best = (
            end == "truncated" and episode_return < highest - change.content_within * self.span
        )
        self.content = False
        recent = [one for _, one, _ in self.episodes[-change.recent_episodes :]]
        if len(self.task_returns) < change.recent_episodes:
            return 0.0
        good = all(one >= highest - change.content_within * self.span for one in recent)
        shorter_were_better = end == "truncated" and episode_return < 0
        as_good = self.span > 0 and good and not shorter_were_better
        self.content = as_good and not (end == "terminated" and episode_return > 0)
        if as_good and self.mastery != MASTERED:
            self._happened(f"{self.mastery} to mastered")
            self.failure_rate = 0.0 if self.mastery == RELAPSED else self.failure_rate
            self.mastery, self.failures = MASTERED, 0
        mean = sum(recent) / len(recent)
        self.task_means.append(mean)
        self.best_mean_return = max(self.task_means)
        gain = self.best_mean_return - min(self.task_returns)
        lost = self.best_mean_return - max(recent)
        if explored <= 0.5:
            self._count_failure(episode_return, gain)
        return self._decide(episode_return, gain, lost, mean)

    def _count_failure(self, episode_return, gain):
        """The failures of now are counted among those before them once one episode is no failure."""
        change = self.config.world_change
        most = change.collapse if self.mastery == NEVER else change.setback
        if episode_return < self.best_mean_return - most * gain:
            self.failures += 1
            return
        for failed in [1] * self.failures + [0]:
            self.failure_rate += change.failure_memory * (failed - self.failure_rate)
        self.failures = 0

    def _decide(self, episode_return, gain, lost, mean):
        change = self.config.world_change
        age = self.steps - self.task_start_step
        is_old = age > change.established_steps
        established = len(self.task_returns) >= change.established_episodes and is_old
        chance = max(self.failure_rate, change.min_failure_rate) ** float(self.failures)
        collapsed = lost > change.collapse * gain and gain > change.learned * self.span
        set_back = lost > change.setback * gain
        if chance < change.change_significance:
            if collapsed and (established or self.mastery != NEVER):
                self._start_task(f"{self.mastery} collapsed", episode_return)
                return 0.0
            if self.mastery == RELAPSED and set_back and is_old:
                self._start_task("relapsed and not healed", episode_return)
                return 0.0
            if self.mastery == MASTERED and set_back:
                self._happened("mastered to relapsed")
                self.partial_losses += 1
                self.mastery = RELAPSED
                self._restart_clocks()
            elif collapsed:
                self._happened("collapsed too early")
        elif collapsed and established:
            self._happened("collapsed by chance")
        return (self.best_mean_return - mean) / gain if gain > 0 else 0.0

    def _start_task(self, why, episode_return):
        self._happened(why)
        self.task_changes += 1
        self._restart_clocks()
        self.task_returns, self.best_mean_return = [episode_return], episode_return
        self.task_means = [episode_return] if self.config.world_change.recent_episodes == 1 else []
        self.mastery, self.failures, self.failure_rate = NEVER, 0, 0.0

    def _restart_clocks(self):
        """The recent episodes are the first of what goes on from here."""
        recent = self.episodes[-self.config.world_change.recent_episodes :]
        self.clock = self.entropy_clock = sum(length for length, _, _ in recent)
        self.task_start_step = self.steps - self.entropy_clock

    def _happened(self, what):
        self.events.append(what)


class NaiveCounter:
    """Counts steps of environments side by side, and what of them is more than episodes."""

    def __init__(self, config, environments):
        self.config = config
        self.judge = NaiveProgress(config)
        self.rewards = [[] for _ in range(environments)]  # of every environment's present episode
        self.all_rewards = []
        self.discounted = []  # of all steps so far: the episode's rewards until then, and their discounts
        self.rate_boost = 0.0
        self.certainty = 0.0
        self.returns = []  # of the present task, as far as it is known to be one

    def step(self, env, reward, end=None):
        """Count a step, the last one of its episode if that ends."""
        judge = self.judge
        judge.steps += 1
        something_better = judge.last_truncated_below_best and judge.terminated_lengths
        self.all_rewards.append(reward)
        pace = self.certainty if self.config.optimisation.rise_significance > 0 else float(any(self.all_rewards))
        judge.clock += pace
        judge.entropy_clock = max(judge.entropy_clock + (-1 if something_better else pace), 0)
        self.rewards[env].append(reward)
        gamma, rewards = self.config.optimisation.discount_low, self.rewards[env]
        self.discounted.append([(gamma**k, r) for k, r in enumerate(reversed(rewards))])
        if end is not None:
            changes = judge.task_changes
            lost = judge.judge(len(rewards), sum(rewards), end)
            self.returns = (self.returns if judge.task_changes == changes else []) + [sum(rewards)]
            self.certainty = certainty_by_hand(self.returns, self.config.optimisation.rise_significance)
            self.rate_boost = self.config.optimisation.boost if lost > self.config.optimisation.fall else 1.0
            self.rewards[env] = []

    def square_value_scale(self, base):
        """Mean square of the discounted sums of rewards that are counted from a base."""
        sums = [sum(weight * (r - base) for weight, r in episode) for episode in self.discounted]
        return sum(one * one for one in sums) / len(sums)

    @property
    def return_mean_square(self):
        return self.square_value_scale(0.0)

    @property
    def reward_base(self):
        return base_of(self.all_rewards, bool(self.judge.terminated_lengths))


def certainty_by_hand(returns, significance):
    """How sure it is that these returns have risen, or had once."""
    return max(rise_by_hand(returns[: n + 1], significance) for n in range(len(returns)))


def rise_by_hand(returns, significance):
    """How sure it is that these returns have risen, in [0, 1]."""
    if len(returns) < 5 or len(set(returns)) == 1:
        return 0.0
    r = np.corrcoef(range(1, len(returns) + 1), returns)[0, 1]
    z = np.arctanh(min(r, 1 - 1e-12)) * sqrt(len(returns) - 3)
    return min(max(z - significance, 0.0), 1.0)


def base_of(rewards, has_terminated):
    """What rewards are counted from: what is nearest 0 within three ranges of the rewards so far from that range."""
    low, high = min(rewards), max(rewards)
    return 0.0 if has_terminated or low == high else min(max(0.0, 4 * low - 3 * high), 4 * high - 3 * low)


@dataclass
class NaiveRewardStatistics:
    """Whether rewards are more than a price of actions."""

    config: object  # an AgentConfig
    steps: int = 0  # before this one
    rewards: dict = field(default_factory=dict)  # of every action
    is_informative: bool = False
    has_terminated: bool = False

    def step(self, action, reward, terminated):
        of_action = self.rewards.setdefault(tuple(action), [])
        of_action.append(reward)
        enough = self.steps >= self.config.exploration.informative_steps
        self.has_terminated = self.has_terminated or terminated
        ended = self.has_terminated and self.square_from(0.0) > 0
        if ended or (enough and self.within > self.config.exploration.informative_variance * self.square):
            self.is_informative = True
        self.steps += 1

    @property
    def square(self):
        return self.square_from(base_of([r for of_action in self.rewards.values() for r in of_action], False))

    def square_from(self, base):
        return sum((r - base) ** 2 for of_action in self.rewards.values() for r in of_action)

    @property
    def within(self):
        """Sum of the squares of what every reward differs by from the mean reward of its action."""
        means = {action: sum(rewards) / len(rewards) for action, rewards in self.rewards.items()}
        return sum((r - means[action]) ** 2 for action, rewards in self.rewards.items() for r in rewards)


def rates_by_hand(record, config, prune_fraction, gain, cells=False):
    """Return the step sizes of critic and actor, tau, the entropy's weight, what is pruned, and the advantages' limit."""
    age = float(record["clock"])
    learning, exploration = config.optimisation, config.exploration
    fade = 1.0 if cells else 1 / (1 + age / learning.rate_half_life)
    boost = max(1.0, float(record["rate_boost"]))
    warm_up = min(1.0, int(record["rehearsals"]) / learning.warm_up)
    rate = fade * warm_up * (learning.content_rate if record["content"] else boost)
    critic = learning.critic_rate * rate * (learning.value_gain_low / gain if cells else 1)
    tau = learning.tau * max(fade, learning.target_fade_floor) * boost
    entropy = exploration.entropy / (1 + (float(record["entropy_clock"]) / exploration.entropy_half_life) ** 2)
    pruned = prune_fraction * (age / (age + config.network.prune_half_life)) ** 2
    if boost > 1 or record["max_return"] == record["min_return"]:
        pruned = 0.0
    limit = learning.advantage_clip
    if learning.rise_significance > 0:
        certain = float(record["certainty"])
        limit = (1 - certain) * learning.early_advantage_clip + certain * limit
    return critic, learning.actor_rate * rate, tau, entropy, pruned, limit


def rehearsal_interval_by_hand(record, config):
    """Return the steps between rehearsals."""
    rehearsal = config.rehearsal
    all_equal = record["max_return"] == record["min_return"]
    longest = max(rehearsal.rehearse_every, rehearsal.interval_share * record["mean_terminated_length"])
    steps = rehearsal.rehearse_every_blind if all_equal else longest
    if record["content"]:
        steps *= rehearsal.content_interval
    return round(steps * (1 + float(record["clock"]) / rehearsal.rehearsal_half_life))


def value_gain_by_hand(record, scale, config):
    """Return G of a rehearsal."""
    learning = config.optimisation
    if record["rehearsals"] <= 1:
        return learning.value_gain_low
    deviation = sqrt(float(record["target_variance"])) / scale
    return min(max(deviation / learning.target_spread, learning.value_gain_low), learning.value_gain_high)
