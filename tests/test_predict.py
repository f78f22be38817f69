"""`predict`: the face of stable-baselines3's models, and nothing is learned by it."""

import numpy as np
import pytest

from helpers import assert_same_state, cart, feed, own
from networks import refused

MODES = ("rehearsal", "live")


@pytest.fixture(scope="module", params=MODES)
def trained(request):
    return cart(mode=request.param).learn(600)


@pytest.mark.parametrize("deterministic", [True, False])
def test_predict_is_stable_baselines_predict(trained, deterministic):
    action, state = trained.predict([0.0, 0.1, 0.0, -0.1], deterministic=deterministic)
    assert np.shape(action) == ()
    assert action in (0, 1)
    assert state is None
    actions, state = trained.predict(np.zeros((5, 4)), ("kept",), np.ones(5, bool), deterministic)
    assert actions.shape == (5,)
    assert set(actions.tolist()) <= {0, 1}
    assert state == ("kept",)


def test_one_prediction_is_the_batch_prediction(trained):
    observations = np.random.default_rng(0).normal(size=(50, 4))
    actions, _ = trained.predict(observations, deterministic=True)
    assert actions.tolist() == [int(trained.predict(x, deterministic=True)[0]) for x in observations]
    assert 0 < actions.sum() < 50


def test_sampled_actions_are_as_frequent_as_likely(trained):
    observations = np.tile([0.0, 0.1, 0.0, -0.1], (4000, 1))
    actions, _ = trained.predict(observations)
    best, _ = trained.predict(observations[0], deterministic=True)
    assert (actions == best).mean() >= 0.48  # of two actions, the likelier one
    assert (actions != best).any()


def test_predict_refuses_what_is_not_finite(trained):
    refused("observations must be finite, but one contains nan", trained.predict, [0, 0, np.nan, 0])


@pytest.mark.parametrize("mode", MODES)
def test_predicting_changes_nothing(mode):
    undisturbed, agent = own(mode=mode), own(mode=mode)
    feed(undisturbed, 300, seed=1)
    feed(agent, 300, seed=1)
    before = agent.get_state()
    agent.predict([0.3, 0.3], deterministic=True)
    assert_same_state(before, agent.get_state())
    agent.predict(np.zeros((7, 2)), deterministic=False)
    assert_same_state(before, agent.get_state(), but=["predict_random"])
    assert feed(undisturbed, 300, seed=2) == feed(agent, 300, seed=2)
    assert_same_state(undisturbed.get_state(), agent.get_state(), but=["predict_random"])
