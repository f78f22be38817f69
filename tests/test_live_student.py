"""What the live page looks at and lays hands on: insight is what the kernels compute, handles do what they say."""

import io

import gymnasium as gym
import numpy as np
import pytest

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.live_page.gallery import GALLERY, world_of
from dynlive_rl.agents.live_page.handles import Handles
from dynlive_rl.agents.live_page.insight import forward
from dynlive_rl.agents.live_page.picture import Camera, encoded, mode_for
from dynlive_rl.agents.live_page.student import Choice, last_returns, loaded_student, new_student, saved_bytes


@pytest.fixture(scope="module")
def student():
    one = new_student(Choice("CartPole-v1", hidden=16))
    one.agent.learn(600, progress_bar=False)
    yield one
    one.close()


# -- insight -----------------------------------------------------------------------------------------------------------


def test_a_forward_pass_is_the_kernels(student):
    actor = student.agent.actor
    seen = actor.activity.copy()
    np.testing.assert_allclose(forward(actor, seen), seen, atol=2e-4)  # the kernels have a quicker sigmoid


def test_the_policy_is_the_one_that_acts(student):
    agent, state = student.agent, student.agent.interaction.learner.state
    opinion = student.insight.opinion()
    assert opinion.policy.sum() == pytest.approx(1)
    gain = agent.config.settings()["policy_gain"][0]
    logits = gain * agent.actor.outputs.astype(float)
    np.testing.assert_allclose(opinion.policy, np.exp(logits) / np.exp(logits).sum(), rtol=1e-4)
    assert opinion.values.shape == (2,)
    # Values are of the size of returns that are discounted: an episode of 20 steps is worth about as many.
    assert 0 < opinion.values.max() < 10 * np.sqrt(state.progress["return_mean_square"][0])


def test_connections_keep_their_order_while_they_come_and_go():
    one = new_student(Choice("CartPole-v1", hidden=8))
    drawn, network = one.insight.drawn, one.agent.actor
    one.agent.learn(400, progress_bar=False)
    strengths = one.insight.strengths()
    for c in range(0, len(strengths), 7):
        neuron, source = int(drawn.target[c]), int(drawn.source[c])
        known = dict(zip(network.sources(neuron).tolist(), network.strengths(neuron).tolist(), strict=True))
        assert strengths[c] == pytest.approx(known.get(source, 0.0))
    source = int(network.sources(network.output_ids[0])[0])
    assert "Cut" in one.cut_connection(network.output_ids[0], source)
    gone = (drawn.target == network.output_ids[0]) & (drawn.source == source)
    assert one.insight.strengths()[gone].tolist() == [0]
    one.close()


def test_the_critic_can_be_drawn_too(student):
    version = student.insight.version
    student.insight.show("critic")
    assert student.insight.version == version + 1
    assert student.insight.network is student.agent.critic
    assert student.insight.strengths().size == student.insight.drawn.source.size
    student.insight.show("actor")


def test_a_live_agent_shows_its_cells():
    one = new_student(Choice("CartPole-v1", mode="live"))
    one.agent.learn(300, progress_bar=False)
    state = one.agent.interaction.learner.state
    one.insight.refresh()
    kinds = [(kind, len(ids)) for kind, ids, _ in one.insight.drawn.layers]
    assert kinds[0] == ("input", 8)
    assert kinds[1] == ("hidden", min(96, int(state.num_cells.sum())))
    assert kinds[2] == ("output", 3)
    np.testing.assert_array_equal(one.insight.opinion().policy, state.policy[0])
    strengths, drawn = one.insight.strengths(), one.insight.drawn
    cell = drawn.layers[1][1][0]
    assert strengths[drawn.target == cell].sum() == pytest.approx(1, abs=1e-5)
    activity = one.insight.activity()
    assert activity.size == max(drawn.layers[2][1]) + 1
    assert ((activity >= 0) & (activity <= 1 + 1e-4)).all()
    with pytest.raises(ValueError, match="for rehearsal"):
        one.kill_neuron(9)
    one.close()


@pytest.mark.parametrize("size", [5, 400])
def test_large_networks_are_drawn_in_part(size):
    space = gym.spaces.Box(-1, 1, (size,))
    agent = DynLiveAgent(observation_space=space, action_space=gym.spaces.Discrete(3), seed=0)
    from dynlive_rl.agents.live_page.insight import Names, insight_into

    insight = insight_into(agent, Names(agent.interaction.encoder.names, agent.interaction.decoder.names))
    inputs = insight.drawn.layers[0]
    assert len(inputs[1]) == min(2 * size, 64)
    assert inputs[2] == 2 * size
    assert insight.strengths().size <= 8_000


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_the_last_returns_are_those_of_the_last_episodes(mode):
    one = new_student(Choice("CartPole-v1", mode=mode, hidden=8))
    returns = []
    one.agent.learn(
        300, progress_bar=False, callback=lambda report: returns.extend(e.episode_return for e in report.finished)
    )
    assert last_returns(one.agent, 3) == returns[-3:]
    assert last_returns(one.agent, 1_000) == returns[-5:]
    assert last_returns(one.agent, 0) == []
    one.close()


# -- damage ------------------------------------------------------------------------------------------------------------


def test_damage_is_done_and_told():
    one = new_student(Choice("CartPole-v1", hidden=16))
    network = one.agent.actor
    hidden = [j for layer in network.layers if layer.kind == "hidden" for j in layer.ids]
    assert one.kill_neuron(hidden[0]) == f"Killed neuron {hidden[0]}"
    assert network.sources(hidden[0]).size == 0
    with pytest.raises(ValueError, match="is an action"):
        one.kill_neuron(network.output_ids[0])
    with pytest.raises(ValueError, match="there is no neuron 999"):
        one.kill_neuron(999)
    with pytest.raises(ValueError, match="there is no connection position → neuron"):
        one.cut_connection(hidden[0], 0)
    before = one.agent.connections
    assert one.hurt("neurons", 0.5) == "Killed 16 neurons in both networks"
    assert one.agent.connections < before
    said = one.hurt("connections", 0.3)
    assert said.startswith("Cut ")
    for _ in range(8):
        one.hurt("neurons", 0.9)
    assert one.agent.actor.sources(network.output_ids[0]).size >= 1  # somebody is left
    one.close()


def test_the_last_connection_of_a_neuron_stays():
    one = new_student(Choice("CartPole-v1", hidden=8))
    neuron = next(layer.ids[0] for layer in one.agent.actor.layers if layer.kind == "hidden")
    for source in one.agent.actor.sources(neuron)[:-1].tolist():
        one.cut_connection(neuron, source)
    with pytest.raises(ValueError, match="has no other connection to live on"):
        one.cut_connection(neuron, int(one.agent.actor.sources(neuron)[0]))
    one.close()


# -- handles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [world.id for world in GALLERY])
def test_every_world_of_the_gallery_has_handles_that_turn_and_go_back(world):
    one = new_student(Choice(world, hidden=8))
    assert len(one.names.actions) == sum(one.agent.interaction.decoder.num_actions)
    before = one.handles.values()
    for name, handle in one.handles.by_name.items():
        assert handle.low <= before[name] <= handle.high
        assert one.handles.turn(name, handle.high + 1) == pytest.approx(handle.high)
        one.env.reset(seed=0)
        one.env.step(one.env.action_space.sample())
        assert one.handles.values()[name] == pytest.approx(handle.high)
        one.handles.release(name)
    assert one.handles.values() == pytest.approx(before, abs=1e-3)  # what drifts has gone on
    with pytest.raises(ValueError, match="has no 'luck' to turn"):
        one.handles.turn("luck", 1.0)
    one.close()


def test_a_longer_pole_falls_more_slowly():
    env, twin = gym.make("CartPole-v1"), gym.make("CartPole-v1")
    handles = Handles(env)
    handles.turn("length", 3.0)
    for one in (env, twin):
        one.reset(seed=1)
        for _ in range(6):
            observation = one.step(1)[0]
        one.angle = abs(observation[2])
    assert env.angle < twin.angle


@pytest.mark.parametrize(
    ("name", "action", "mirrored"), [("CartPole-v1", 0, 1), ("MountainCar-v0", 2, 0), ("Pendulum-v1", [1.5], [-1.5])]
)
def test_swapped_actions_are_mirrored_and_nothing_is_wrapped(name, action, mirrored):
    env, twin = gym.make(name), gym.make(name)
    handles = Handles(env)
    handles.swap(True)
    env.reset(seed=3)
    twin.reset(seed=3)
    there, *_ = env.step(np.array(action, np.float32) if isinstance(action, list) else action)
    expected, *_ = twin.step(np.array(mirrored, np.float32) if isinstance(mirrored, list) else mirrored)
    np.testing.assert_array_equal(there, expected)
    handles.swap(False)
    assert str(env) == str(twin)
    assert env.spec == twin.spec


def test_a_saved_student_is_an_ordinary_agent_and_goes_on(tmp_path):
    one = new_student(Choice("CartPole-v1", seed=5, hidden=8))
    one.agent.learn(50, progress_bar=False)
    one.handles.swap(True)
    file = tmp_path / "agent.dynlive"
    file.write_bytes(saved_bytes(one.agent))
    plain = DynLiveAgent.load(file)
    assert len(plain.evaluate(2, seed=0).lengths) == 2
    again = loaded_student(io.BytesIO(file.read_bytes()))
    assert (again.agent.num_timesteps, again.choice.seed, again.hidden) == (50, 5, 8)
    for student in (one, again):
        student.handles.swap(False)
        student.agent.learn(30, progress_bar=False, reset_num_timesteps=False)
    np.testing.assert_array_equal(one.agent.get_state()["actor.strength"], again.agent.get_state()["actor.strength"])
    for student in (one, again):
        student.close()


def test_an_agent_without_a_known_environment_is_refused(tmp_path):
    agent = DynLiveAgent(observation_space=gym.spaces.Box(-1, 1, (2,)), action_space=gym.spaces.Discrete(2))
    agent.save(tmp_path / "own.dynlive")
    with pytest.raises(ValueError, match="an environment that an id does not describe"):
        loaded_student(tmp_path / "own.dynlive")


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_a_camera_takes_pictures_at_a_bounded_cost():
    env = gym.make("CartPole-v1", render_mode="rgb_array")
    env.reset(seed=0)
    camera = Camera(env)
    picture = camera.take(hurried=True)
    assert picture.pixels.shape == (400, 600, 3)
    assert camera.take(hurried=True) is None
    assert camera.take(hurried=False) is not None
    assert encoded(picture.pixels)[:2] == b"\xff\xd8"
    env.close()


def test_a_world_that_cannot_be_drawn_gets_a_sentence():
    blind = Camera(gym.make("CartPole-v1"))
    assert blind.take(hurried=False) is None
    assert "cannot be drawn, but the agent learns" in blind.sorry
    unready = Camera(gym.make("CartPole-v1", render_mode="rgb_array"))
    assert unready.take(hurried=False) is None
    assert unready.sorry.startswith("This world cannot be drawn here: ")
    assert mode_for(["human", "ansi"]) == "ansi"
    assert mode_for(["human"]) is None


def test_worlds_outside_the_gallery_have_their_id_as_title():
    assert world_of("LunarLander-v3").title == "LunarLander-v3"
