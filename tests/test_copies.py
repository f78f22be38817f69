"""Copies are independent and go on learning like the original, in this process or another one."""

import copy
import io
import multiprocessing
import pickle
import threading

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dynlive_rl import ActivationError, DynLiveAgent, Network, activations
from helpers import assert_same_state, cart, feed, own
from networks import assert_sound, refused
from worlds import Counting

MODES = ("rehearsal", "live")


def cloudpickle_copy(thing):
    cloudpickle = pytest.importorskip("cloudpickle")
    return cloudpickle.loads(cloudpickle.dumps(thing))


def joblib_copy(thing):
    joblib = pytest.importorskip("joblib")
    file = io.BytesIO()
    joblib.dump(thing, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "cloudpickle": cloudpickle_copy,
    "joblib": joblib_copy,
}


@pytest.fixture(params=COPIES)
def copied(request):
    return COPIES[request.param]


# -- agents ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_copy_learns_like_the_original_and_changes_nothing_of_it(mode, copied):
    agent = own(mode=mode)
    feed(agent, 150, seed=1)
    twin, before = copied(agent), agent.get_state()
    assert_same_state(before, twin.get_state())
    actions = feed(twin, 200, seed=2)
    assert_same_state(before, agent.get_state())
    assert feed(agent, 200, seed=2) == actions
    assert_same_state(agent.get_state(), twin.get_state())
    some = np.random.default_rng(0).normal(size=(30, 2))
    assert_array_equal(agent.predict(some)[0], twin.predict(some)[0])
    assert_array_equal(agent.predict(some[:7])[0], twin.predict(some[:7])[0])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
@pytest.mark.parametrize("many", [False, "sync", "vector_entry_point"])
def test_a_copy_goes_on_in_its_own_environment(mode, how, many):
    env = gym.make_vec("CartPole-v1", num_envs=2, vectorization_mode=many) if many else "CartPole-v1"
    agent = DynLiveAgent(env, seed=0, mode=mode).learn(157)
    twin = COPIES[how](agent)
    twin.learn(150)
    agent.learn(150)
    assert_same_state(agent.get_state(), twin.get_state())
    assert agent.env is not twin.env


def test_a_copy_of_a_mapped_file_can_learn(tmp_path):
    joblib = pytest.importorskip("joblib")
    for mode in MODES:
        agent = own(mode=mode)
        feed(agent, 150, seed=1)
        joblib.dump(agent, tmp_path / "agent")
        twin = joblib.load(tmp_path / "agent", mmap_mode="r")
        assert feed(agent, 100, seed=2) == feed(twin, 100, seed=2)


class Locked(Counting):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.parametrize("how", ["deepcopy", "pickle", "cloudpickle", "joblib"])
def test_where_the_environment_cannot_be_copied_the_copy_says_so(how):
    agent = DynLiveAgent(Locked(), seed=0, mode="live").learn(20)
    twin = COPIES[how](agent)
    assert twin.env is None
    assert_same_state(agent.get_state(), twin.get_state())
    twin.predict(np.zeros(2))
    message = "this copy of an agent has no environment, as the agent's cannot be copied: save and load it, with env="
    refused(message, twin.learn, 10)
    refused(message, COPIES[how](twin).learn, 10)
    agent.learn(20)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_where_the_state_of_the_environment_cannot_be_copied_an_episode_begins(how, caplog):
    pytest.importorskip("Box2D")
    agent = DynLiveAgent("LunarLander-v3", seed=0, mode="live").learn(30)
    twin = COPIES[how](agent).learn(30)
    assert "cannot be copied: learning goes on with a new episode" in caplog.text
    assert twin.num_timesteps == 30


def test_an_agent_that_learns_can_be_copied_by_its_callback():
    twins = []

    def follow(report):
        if report.agent.num_timesteps == 100:
            twins.append(copy.deepcopy(report.agent))

    agent = cart(mode="live").learn(200, callback=follow)
    twins[0].learn(100)
    assert_same_state(agent.get_state(), twins[0].get_state())


# -- networks --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def bow():
    return activations.register_activation("bow", lambda s: s * s, lambda s: 2 * s)


def taught(net, seed, steps=30):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        net.propagate(rng.random(2))
        net.reinforce(rng.normal(size=2))
    net.rehearse(rng.random((4, 2)), rng.normal(size=(4, 2)))
    return net


@pytest.mark.parametrize("activation", ["sigmoid", "bow"])
def test_copies_of_networks_go_on_alike(copied, activation):
    net = taught(Network.layered(inputs=2, hidden=(6,), outputs=2, activation=activation, seed=0), 1)
    twin, before = copied(net), net.get_state()
    taught(twin, 2)
    assert_same_state(before, net.get_state())
    assert_same_state(taught(net, 2).get_state(), twin.get_state())
    assert_sound(twin)
    assert twin.add_neuron(1, [0, 1]) == net.add_neuron(1, [0, 1])


def test_a_users_own_activation_is_looked_up_by_its_name():
    net = Network.layered(inputs=2, hidden=(6,), outputs=2, activation="bow", seed=0)
    packed, old = pickle.dumps(net), net.arrays.custom.tolist()
    new = activations.register_activation("bow", lambda s: s * s, lambda s: 2 * s)
    assert pickle.loads(packed).arrays.custom.tolist() == [[new.function.address, new.derivative.address]]
    assert copy.deepcopy(net).arrays.custom.tolist() == old  # in the same process it is the same function
    gone = pickle.dumps(Network.layered(inputs=2, hidden=(6,), outputs=2, activation="bow", seed=0))
    with pytest.raises(ActivationError, match="unknown activation 'bew'"):
        pickle.loads(gone.replace(b"\x03bow", b"\x03bew"))


# -- processes -------------------------------------------------------------------------------------------------------


def learned_on(agents):
    """What a worker sends back: every agent, after some more steps."""
    return [agent.learn(60) for agent in agents]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_go_on_with_agents(start):
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {start}")
    agents = [cart(mode=mode).learn(150) for mode in MODES]
    with multiprocessing.get_context(start).Pool(1) as pool:
        back = pool.apply(learned_on, (agents,))
    for agent, twin in zip(agents, back, strict=True):
        assert_same_state(agent.learn(60).get_state(), twin.get_state())
        assert_same_state(agent.learn(60).get_state(), twin.learn(60).get_state())


def predict_and_learn(agent, answers):
    agent.predict(np.zeros((3, 4)))
    answers.put(agent.learn(50).num_timesteps)


def test_a_process_can_be_forked_while_an_agent_learns():
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    fork, going = multiprocessing.get_context("fork"), True
    agent = cart(mode="live")
    thread = threading.Thread(target=lambda: agent.learn(10**9, callback=lambda report: going))
    thread.start()
    try:
        for _ in range(5):
            answers = fork.Queue()
            child = fork.Process(target=predict_and_learn, args=(agent, answers))
            child.start()
            assert answers.get(timeout=30) == 50
            child.join(30)
            assert child.exitcode == 0
    finally:
        going = False
        thread.join()
