"""Saved, loaded in a new process and gone on with: bit for bit as if never stopped, environment and all."""

import hashlib
import json
import logging
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import dynlive_rl.envs  # noqa: F401
from dynlive_rl import DynLiveAgent
from helpers import assert_same_state, cart, own
from networks import refused

MODES = ("rehearsal", "live")
TAXI = max(name for name in gym.registry if name.startswith("Taxi-v"))
SINGLE = (
    "CartPole-v1",
    "Acrobot-v1",
    "Pendulum-v1",
    "MountainCar-v0",
    "MountainCarContinuous-v0",
    "FrozenLake-v1",
    TAXI,
)
CHANGING = tuple(f"DynLive/{name}CartPole-v0" for name in ("Drift", "Jump", "Swap", "Blind", "Rescaled", "Changing"))
MANY = (("CartPole-v1", "sync"), ("CartPole-v1", "vector_entry_point"), ("FrozenLake-v1", "sync"),
        ("DynLive/ChangingCartPole-v0", "vector_entry_point"))  # fmt: skip
WORLDS = (*((name, None) for name in (*SINGLE, *CHANGING)), *MANY)
STEPS = 500


def made(name, how):
    return gym.make(name) if how is None else gym.make_vec(name, num_envs=3, vectorization_mode=how)


def learn_to(agent, steps):
    """Learn until so many steps have been taken in all."""
    return agent.learn(steps - agent.num_timesteps, reset_num_timesteps=False, progress_bar=False)


def digest(agent, folder):
    agent.save(folder / "end")
    return hashlib.sha256((folder / "end").read_bytes()).hexdigest()


GO_ON = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_resume import DynLiveAgent, digest, learn_to
print(digest(learn_to(DynLiveAgent.load(sys.argv[1]), int(sys.argv[2])), Path(sys.argv[1]).parent))
"""


def gone_on_with(file, steps):
    """Digest of the agent in a file after so many steps, taken in a new process."""
    command = [sys.executable, "-c", GO_ON, file, str(steps), str(Path(__file__).parent)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]


# -- the same at the end ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "how"), WORLDS)
def test_what_was_stopped_goes_on_as_if_never_stopped(tmp_path, name, how, mode):
    stop = 100 + 7 * len(name)
    learn_to(DynLiveAgent(made(name, how), seed=3, mode=mode), stop).save(tmp_path / "agent")
    unbroken = digest(DynLiveAgent(made(name, how), seed=3, mode=mode).learn(300), tmp_path)
    assert digest(learn_to(DynLiveAgent.load(tmp_path / "agent"), 300), tmp_path) == unbroken
    with_env = DynLiveAgent.load(tmp_path / "agent", env=made(name, how))
    assert digest(learn_to(with_env, 300), tmp_path) == unbroken


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "how"), WORLDS)
def test_it_goes_on_in_a_new_process_wherever_it_was_stopped(tmp_path, name, how, mode):
    unbroken = digest(DynLiveAgent(made(name, how), seed=3, mode=mode).learn(STEPS), tmp_path)
    for stop in np.random.default_rng([*name.encode(), mode == "live"]).integers(1, STEPS, size=2):  # 68 in all
        learn_to(DynLiveAgent(made(name, how), seed=3, mode=mode), int(stop)).save(tmp_path / "agent")
        assert gone_on_with(tmp_path / "agent", STEPS) == unbroken, stop


@pytest.mark.parametrize("mode", MODES)
def test_it_goes_on_in_a_new_process(tmp_path, mode):
    learn_to(cart(mode=mode), 222).save(tmp_path / "agent")
    assert gone_on_with(tmp_path / "agent", 300) == digest(cart(mode=mode).learn(300), tmp_path)


@pytest.mark.parametrize("autoreset", list(AutoresetMode), ids=str)
def test_it_goes_on_in_every_way_of_resetting(tmp_path, autoreset):
    def several():
        return SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 3, autoreset_mode=autoreset)

    DynLiveAgent(several(), seed=0, mode="live").learn(157).save(tmp_path / "agent")
    unbroken = digest(DynLiveAgent(several(), seed=0, mode="live").learn(300), tmp_path)
    assert digest(learn_to(DynLiveAgent.load(tmp_path / "agent"), 300), tmp_path) == unbroken
    assert digest(learn_to(DynLiveAgent.load(tmp_path / "agent", env=several()), 300), tmp_path) == unbroken


@pytest.mark.parametrize("mode", MODES)
def test_saving_in_a_callback_and_in_between_changes_nothing(tmp_path, mode):
    once = cart(mode=mode).learn(300)
    saving = cart(mode=mode).learn(300, callback=lambda report: report.agent.save(tmp_path / "agent"))
    assert digest(once, tmp_path) == digest(saving, tmp_path) == digest(DynLiveAgent.load(tmp_path / "agent"), tmp_path)


def test_the_first_reset_is_seeded_after_loading_too(tmp_path):
    cart(seed=7, mode="live").save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent").learn(200)
    assert_same_state(loaded.get_state(), cart(seed=7, mode="live").learn(200).get_state())


# -- environments with a state of their own, or with none that is known ------------------------------------------------


class Walk(gym.Env):
    """Takes a random walk, and may say where it is."""

    observation_space, action_space = Box(-np.inf, np.inf, (2,)), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.normal(size=2)
        return self.place.astype(np.float32), {}

    def step(self, action):
        self.place = self.place + self.np_random.normal(size=2) * (1 + action)
        return self.place.astype(np.float32), float(action), bool(self.place @ self.place > 50), False, {}


class Telling(Walk):
    def get_state(self):
        return {"place": getattr(self, "place", None)}

    def set_state(self, state):
        self.place = state["place"]


def test_environments_may_offer_their_state(tmp_path):
    DynLiveAgent(Telling(), seed=0, mode="live").learn(157).save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent", env=Telling()).learn(200)
    assert_same_state(loaded.get_state(), DynLiveAgent(Telling(), seed=0, mode="live").learn(357).get_state())


@pytest.mark.parametrize("mode", MODES)
def test_where_there_is_no_state_an_episode_begins_and_learn_says_so(tmp_path, caplog, mode):
    DynLiveAgent(Walk(), seed=0, mode=mode).learn(157).save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent", env=Walk())
    assert caplog.records == []
    loaded.learn(10).learn(10)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message == (
        f"the state of {loaded.env} cannot be kept in a file: learning goes on with a new episode"
    )
    assert loaded.num_timesteps == 10


@pytest.mark.filterwarnings("ignore")
def test_box2d_keeps_its_state_to_itself(tmp_path, caplog):
    pytest.importorskip("Box2D")
    DynLiveAgent("LunarLander-v3", seed=0, mode="live").learn(60).save(tmp_path / "agent")
    DynLiveAgent.load(tmp_path / "agent").learn(60)
    assert "cannot be kept in a file: learning goes on with a new episode" in caplog.text


def test_another_environment_begins_anew(tmp_path, caplog):
    cart(mode="live").learn(50).save(tmp_path / "agent")
    other = gym.wrappers.TransformReward(gym.make("CartPole-v1"), lambda reward: reward)
    DynLiveAgent.load(tmp_path / "agent", env=other).learn(50)
    assert "is another environment than the one whose state the file holds" in caplog.text


# -- loaded without an environment -------------------------------------------------------------------------------------


def test_the_environment_is_made_when_it_is_needed(tmp_path):
    cart(mode="live").learn(50).save(tmp_path / "agent")
    for use in (lambda agent: agent.learn(1), lambda agent: agent.evaluate(2, seed=0)):
        agent = DynLiveAgent.load(tmp_path / "agent")
        agent.predict(np.zeros(4))
        assert agent.env is None
        use(agent)
        assert agent.env.spec.id == "CartPole-v1"


def test_predict_needs_no_environment(tmp_path):
    gym.register("Gone-v0", Walk)
    DynLiveAgent("Gone-v0", seed=0, mode="live").save(tmp_path / "agent")
    del gym.registry["Gone-v0"]
    agent = DynLiveAgent.load(tmp_path / "agent")
    assert agent.predict([0.0, 1.0], deterministic=True)[0] in (0, 1)
    message = "no environment 'Gone-v0' is registered here: import the module that registers it, or pass env="
    refused(message, agent.learn, 10)
    agent.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "agent").read_bytes()
    own(mode="live").save(tmp_path / "agent")
    message = "this agent has no environment to learn in: pass env=, or call act and observe yourself"
    refused(message, DynLiveAgent.load(tmp_path / "agent").learn, 10)


# -- small files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_without_experience_a_file_is_small_and_learning_goes_on(tmp_path, mode):
    agent = cart(mode=mode).learn(1500)
    agent.save(tmp_path / "whole")
    agent.save(tmp_path / "small", include_experience=False)
    whole, small = ((tmp_path / name).stat().st_size for name in ("whole", "small"))
    assert small == whole if mode == "live" else small < whole - 1500 * 20
    loaded = DynLiveAgent.load(tmp_path / "small")
    some = np.random.default_rng(0).normal(size=(50, 4))
    assert (loaded.predict(some, deterministic=True)[0] == agent.predict(some, deterministic=True)[0]).all()
    updates = [loaded.learn(steps, reset_num_timesteps=False).get_state() for steps in (100, 300)]
    if mode == "rehearsal":
        assert (updates[0]["critic.updates"] == agent.get_state()["critic.updates"]).all()
        assert (updates[1]["critic.updates"] > updates[0]["critic.updates"]).any()
        assert updates[1]["experience.rows"][0] > 400
    assert loaded.num_timesteps == 1900


def test_what_a_file_says_of_training_is_json(tmp_path):
    agent = cart(mode="live").learn(50)
    env, training = agent.training_state()
    assert json.loads(json.dumps(training)) == training
    assert env["id"] == "CartPole-v1"
    assert training["loop"]["begun"]
