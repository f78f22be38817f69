"""Pictures are written, of networks of any size."""

import numpy as np
import pytest

from dynlive_rl import DynLiveAgent, Network
from graphs import fill, random_network

pytest.importorskip("matplotlib")
PNG = b"\x89PNG"


def assert_picture(path):
    content = path.read_bytes()
    assert content.startswith(PNG)
    assert len(content) > 5_000


@pytest.mark.parametrize(("inputs", "hidden", "outputs"), [(1, (1,), 1), (4, (32, 8), 2), (30, (128,), 20), (3, (), 2)])
def test_layered_networks(tmp_path, inputs, hidden, outputs):
    net = Network.layered(inputs=inputs, hidden=hidden, outputs=outputs, seed=0, dual_rail=True)
    net.draw(tmp_path / "fresh.png")
    net.propagate(np.full(inputs, 0.5))
    net.draw(tmp_path / "live.png")
    assert_picture(tmp_path / "fresh.png")
    assert_picture(tmp_path / "live.png")


def test_a_recurrent_network(tmp_path):
    net = random_network(3)
    fill(net, np.random.default_rng(0), 3)
    net.draw(tmp_path / "net.png")
    assert_picture(tmp_path / "net.png")


def test_an_agents_network(tmp_path):
    agent = DynLiveAgent("CartPole-v1", seed=0).learn(200)
    agent.actor.draw(tmp_path / "actor.png")
    agent.critic.draw(tmp_path / "critic.png")
    assert_picture(tmp_path / "actor.png")
    assert_picture(tmp_path / "critic.png")


@pytest.mark.parametrize("episodes", [0, 1, 30])
def test_a_learning_curve(tmp_path, episodes):
    from dynlive_rl.drawing import draw_learning_curve

    steps, returns = list(range(10, 10 * episodes + 10, 10)), list(map(float, range(episodes)))
    draw_learning_curve(tmp_path / "curve.png", steps, returns, title="curve")
    assert_picture(tmp_path / "curve.png")


def test_without_a_folder_nothing_is_drawn(tmp_path):
    with pytest.raises(FileNotFoundError):
        Network.layered(inputs=1, outputs=1).draw(tmp_path / "none" / "net.png")
