"""Pictures are written, of networks of any size."""

import numpy as np
import pytest

from dynlive_rl import DynLiveAgent, Network
from dynlive_rl.drawing import draw_network, draw_strengths
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


def test_a_network_with_removed_and_dead_neurons(tmp_path):
    net = Network.layered(inputs=3, hidden=(40,), outputs=2, seed=0)
    net.remove_neuron(net.layers[1].ids[3])
    net.kill(net.layers[1].ids[:5])
    net.add_connection(net.add_neuron(1, net.layers[0].ids), net.layers[1].ids[7])
    net.draw(tmp_path / "net.png")
    assert_picture(tmp_path / "net.png")


def test_a_thousand_neurons(tmp_path):
    net = Network.layered(inputs=50, hidden=(600, 290), outputs=10, seed=0, connect=0.22)
    assert net.neurons == 1000
    assert net.connections > 50_000
    net.draw(tmp_path / "net.png")
    assert_picture(tmp_path / "net.png")


def test_free_strengths(tmp_path):
    net = Network.layered(inputs=3, hidden=(4,), outputs=2, rule="free", seed=0)
    net.propagate([3.0, -2.0, 0.5])
    net.draw(tmp_path / "net.svg")
    assert "negative" in (tmp_path / "net.svg").read_text()
    draw_strengths(net, tmp_path / "strengths.png")


def test_names_are_shown(tmp_path):
    net = Network.layered(inputs=2, hidden=(3,), outputs=2, seed=0)
    draw_network(net, tmp_path / "net.svg", inputs=["angle", "speed"], outputs=["left", "right"])
    picture = (tmp_path / "net.svg").read_text()
    for name in ("angle", "1 − speed", "left", "right"):
        assert name in picture
    with pytest.raises(ValueError, match=r"inputs must be 2 names, not 1: \['angle'\]"):
        draw_network(net, tmp_path / "net.svg", inputs=["angle"])
    with pytest.raises(ValueError, match="outputs must be 2 names, not 3"):
        draw_network(net, tmp_path / "net.svg", outputs=["left", "right", "up"])


@pytest.mark.parametrize("seed", range(3))
def test_strengths(tmp_path, seed):
    draw_strengths(random_network(seed), tmp_path / "strengths.png", title="strengths")
    assert_picture(tmp_path / "strengths.png")


def test_a_graph_of_networkx():
    net = random_network(3)
    fill(net, np.random.default_rng(0), 3)
    graph = net.to_networkx()
    assert graph.number_of_nodes() == net.neurons
    assert graph.number_of_edges() == net.connections
    for j, about in graph.nodes(data=True):
        assert j in net.layers[about["layer"]].ids
        assert about["kind"] == net.layers[about["layer"]].kind
        assert about["output"] == net.activity[j]
        if about["kind"] != "input":
            assert sorted(graph.predecessors(j)) == net.sources(j).tolist()
            assert [graph[i][j]["strength"] for i in net.sources(j)] == net.strengths(j).tolist()
            assert about["threshold"] == net.threshold(j)


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
