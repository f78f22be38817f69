"""`predict` and `save` beside `learn`: every answer is that of the policy before or after a step that overlapped the call."""

import os
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent
from helpers import cart, own
from networks import refused

MODES = ("rehearsal", "live")
SECONDS = float(os.environ.get("DYNLIVE_THREAD_SECONDS", 300))
OBSERVATIONS = np.random.default_rng(0).uniform(-0.2, 0.2, (40, 4)).astype(np.float32)


def best(agent):
    return agent.predict(OBSERVATIONS, deterministic=True)[0]


class Beside:
    """An agent that learns while threads predict and one saves; what each of them saw, and when."""

    def __init__(self, agent, seconds, readers, file):
        self.agent, self.file, self.end = (
            agent,
            file,
            time.monotonic() + seconds,
        )  # and until there was something to see
        agent.num_timesteps = 0
        self.policies = [best(agent)]  # after 0, 1, … steps
        self.seen, self.failures, self.saves, self.answers = [], [], 0, 0
        work = [self.learn, self.save, *[self.read] * readers]
        self.threads = [threading.Thread(target=self.guarded, args=(job, k)) for k, job in enumerate(work)]

    def guarded(self, job, seed):
        try:
            job(np.random.default_rng(seed))
        except BaseException as error:
            self.failures.append(error)
            raise

    def is_over(self):
        few = min(self.answers, len(self.policies)) <= 50 or self.saves == 0
        return bool(self.failures) or time.monotonic() > self.end + 300 * few

    def learn(self, random):
        def follow(report):
            self.policies.append(best(self.agent))
            return not self.is_over()

        self.agent.learn(10**9, callback=follow, progress_bar=False)

    def read(self, random):
        while not self.is_over():
            some = random.integers(len(OBSERVATIONS), size=random.integers(1, 30))
            first = len(self.policies) - 1
            answer = self.agent.predict(OBSERVATIONS[some], deterministic=True)[0]
            # The step after the last policy written down may be over already.
            self.check(first, some, answer)

    def check(self, first, some, answer):
        self.answers += 1
        last = len(self.policies)
        if not any((policy[some] == answer).all() for policy in self.policies[first : last + 1]):
            self.seen.append((first, last, some, answer))  # perhaps that of the step just now under way

    def save(self, random):
        while not self.is_over():
            self.agent.save(self.file)
            loaded = DynLiveAgent.load(self.file)
            while len(self.policies) <= loaded.num_timesteps:
                time.sleep(0.001)
            assert_array_equal(best(loaded), self.policies[loaded.num_timesteps])
            self.saves += 1

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        assert self.failures == []
        for first, last, some, answer in self.seen:
            assert any((policy[some] == answer).all() for policy in self.policies[first : last + 1])
        return self


@pytest.mark.parametrize("mode", MODES)
def test_threads_get_the_policy_of_a_step_they_overlapped(tmp_path, mode):
    beside = Beside(cart(mode=mode).learn(200, progress_bar=False), 1.5, 4, tmp_path / "agent").run()
    assert beside.answers > 50
    assert beside.saves > 0
    assert len(beside.policies) > 50


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_eight_threads_predict_one_learns_and_one_saves_for_minutes(tmp_path, mode):
    beside = Beside(cart(mode=mode).learn(200, progress_bar=False), SECONDS, 8, tmp_path / "agent").run()
    print(f"{mode}: {beside.answers} answers, {beside.saves} files, {len(beside.policies)} steps")


@pytest.mark.parametrize("mode", MODES)
def test_batches_of_any_size_at_once_are_answered_right(mode):
    agent = cart(mode=mode).learn(300, progress_bar=False)
    right, wrong = best(agent), []

    def ask(seed):
        random = np.random.default_rng(seed)
        for _ in range(150):
            some = random.integers(len(OBSERVATIONS), size=random.integers(1, 200))
            wrong.append(int((agent.predict(OBSERVATIONS[some], deterministic=True)[0] != right[some]).sum()))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 600
    assert sum(wrong) == 0


def test_an_agent_learns_in_one_thread_at_a_time():
    agent, refusals = cart(mode="live"), []

    def again(report):
        refused(
            "this agent is learning already: let that call of learn return first", agent.learn, 1, error=RuntimeError
        )
        refusals.append(True)
        return False

    agent.learn(10, callback=again)
    assert refusals == [True]
    assert agent.learn(10).num_timesteps == 10


@pytest.mark.parametrize("mode", MODES)
def test_saving_waits_for_no_callback(tmp_path, mode):
    agent = cart(mode=mode)

    def wait_for_another_thread(report):
        thread = threading.Thread(target=agent.save, args=(tmp_path / "agent",))
        thread.start()
        thread.join(20)
        assert not thread.is_alive()

    agent.learn(3, callback=wait_for_another_thread)
    assert DynLiveAgent.load(tmp_path / "agent").num_timesteps == 3


def test_own_loops_are_saved_between_two_steps(tmp_path):
    agent, going = own(mode="live"), True

    def live():
        random = np.random.default_rng(0)
        observation = random.uniform(-1, 1, 2)
        while going:
            agent.act(observation)
            observation = random.uniform(-1, 1, 2)
            agent.observe(1.0, observation, False, False)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        for _ in range(20):
            with agent.still():
                state = agent.get_state()
                steps = agent.num_timesteps
            assert state["progress.steps"][0] == steps
            agent.save(tmp_path / "agent")
    finally:
        going = False
        thread.join()
