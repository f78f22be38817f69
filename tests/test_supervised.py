"""Learning from examples: fit and predict."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import LearningRule, Network, NetworkBuilder
from dynlive_rl.messages import MessageNetwork

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float), np.array([0, 1, 1, 0])


def little(constraint="simplex", outputs=1, output_activation="sigmoid", seed=0, **rule):
    rule = LearningRule(constraint=constraint, **{"step": "adam", "learning_rate": 0.05, **rule})
    return Network.layered(
        inputs=2,
        hidden=(8,),
        outputs=outputs,
        output_activation=output_activation,
        rule=rule,
        seed=seed,
        dtype="float64",
    )


@pytest.mark.parametrize("constraint", ["simplex", "free"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_one_step_is_rehearsal_with_the_errors_as_rewards(constraint, loss, outputs):
    fitted, rehearsed = (little(constraint, outputs, step="sgd", credit_gain=1.0) for _ in range(2))
    x, labels = XOR
    wanted = labels[:, None].astype(float) if outputs == 1 else np.eye(2)[labels]
    o = fitted.predict(x)
    sharpness = 20.0 if constraint == "simplex" else 1.0
    if loss == "mse":
        rewards, expected = wanted - o, np.mean((wanted - o) ** 2)
    elif outputs == 1:
        rewards = (wanted - o) / (o * (1 - o))
        expected = -np.mean(np.log(np.where(wanted == 1, o, 1 - o)))
    else:
        p = np.exp(sharpness * o) / np.exp(sharpness * o).sum(axis=1, keepdims=True)
        rewards, expected = sharpness * (wanted - p), -np.mean(np.log(p[np.arange(4), labels]))
    y = labels if loss == "cross-entropy" else wanted
    history = fitted.fit(x, y, epochs=1, loss=loss, batch_size=4, seed=0, progress_bar=False)
    rehearsed.rehearse(x, rewards / 4)
    assert_allclose(history.loss, [expected], rtol=1e-9)
    assert_allclose(fitted.arrays.strength, rehearsed.arrays.strength, rtol=0, atol=1e-9)
    assert_allclose(fitted.arrays.threshold, rehearsed.arrays.threshold, rtol=0, atol=1e-9)


@pytest.mark.parametrize("constraint", ["simplex", "free"])
def test_xor_within_2000_presentations(constraint):
    x, y = XOR
    gain, output_gain = ((12.0, 24.0), 24.0) if constraint == "simplex" else (4.0, 1.0)
    solved = 0
    for seed in range(5):
        rule = LearningRule(constraint=constraint, step="adam", learning_rate=0.05, credit_gain=1.0)
        build = NetworkBuilder(seed, rule=rule, dual_rail=constraint == "simplex")
        inputs = build.add_inputs(2)
        hidden = build.add_neurons(12, gain=gain)
        out = build.add_outputs(1, gain=output_gain)
        build.allow(hidden, sources=inputs)
        build.allow(out, sources=hidden)
        net = build.build()
        net.fit(x, y, epochs=500, loss="cross-entropy", batch_size=4, seed=seed, progress_bar=False)
        solved += bool(((net.predict(x)[:, 0] > 0.5) == y).all())
    assert solved >= 4


def test_sequences_are_learned_from_their_last_cycle_or_from_all():
    build = NetworkBuilder(0, rule=LearningRule(constraint="free", step="adam", learning_rate=0.02), dtype="float64")
    inputs = build.add_inputs(1)
    copy = build.add_neurons(6)
    out = build.add_outputs(1, "identity")
    build.allow(copy, sources=[*inputs, *copy])
    build.allow(out, sources=copy)
    net = build.build()
    x = np.random.default_rng(0).random((64, 3, 1))
    last = net.fit(x, x[:, 1], epochs=60, seed=0, progress_bar=False).loss
    assert last[-1] < 0.3 * last[0]
    assert net.predict(x).shape == (64, 3, 1)
    every = net.fit(x, np.roll(x, 1, axis=1), epochs=1, seed=0, progress_bar=False).loss
    assert np.isfinite(every).all()


def test_equal_seeds_learn_alike_and_others_do_not():
    x, y = np.random.default_rng(0).random((50, 2)), np.random.default_rng(1).random(50)
    nets = [little("free") for _ in range(3)]
    for net, seed in zip(nets, (5, 5, 6), strict=True):
        net.fit(x, y, epochs=3, batch_size=8, validation_split=0.2, seed=seed, progress_bar=False)
    assert_array_equal(nets[0].arrays.strength, nets[1].arrays.strength)
    assert not np.array_equal(nets[0].arrays.strength, nets[2].arrays.strength)


def test_batches_of_any_size_take_every_example_once_per_epoch():
    x, y = np.random.default_rng(0).random((10, 2)), np.zeros(10)
    for batch_size in (1, 3, 10, 99):
        net = little("free", learning_rate=1e-9)
        expected = np.mean(net.predict(x) ** 2)
        history = net.fit(x, y, epochs=1, batch_size=batch_size, seed=0, progress_bar=False)
        assert_allclose(history.loss[0], expected, rtol=1e-5)


def test_stopping_early_goes_back_to_the_best():
    random = np.random.default_rng(0)
    x, y = random.random((60, 2)), random.random(60)  # nothing to learn: what is set aside soon gets worse
    net = little("free", learning_rate=0.3)
    history = net.fit(x, y, epochs=300, validation_split=0.5, patience=5, seed=0, progress_bar=False)
    assert len(history.loss) == len(history.validation_loss) == history.best_epoch + 6 < 300
    assert history.best_epoch == int(np.argmin(history.validation_loss))


def test_annealing_ends_in_smaller_steps():
    x, y = XOR
    moved = []
    for anneal in (False, True):
        net = little("free")
        net.fit(x, y, epochs=50, anneal=anneal, seed=0, progress_bar=False)
        moved.append(np.abs(net.arrays.strength - little("free").arrays.strength).sum())
    assert moved[1] < moved[0]


def test_predict_changes_nothing():
    net = little()
    net.propagate([0.2, 0.4])
    before = net.get_state()
    outputs = net.predict(np.random.default_rng(0).random((130, 2)))
    assert outputs.shape == (130, 1)
    for name, array in net.get_state().items():
        assert_array_equal(array, before[name])
    assert_allclose(net.predict([[0.2, 0.4]])[0], net.outputs, rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"X": [[1.0]]}, r"X must have shape \(examples, 2\) or \(examples, cycles, 2\), not \(1, 1\)"),
        ({"X": [[1.0, np.nan]] * 4}, "X must be finite, but contain nan"),
        ({"y": [1, 0]}, r"y must have shape \(4,\) or \(4, 1\), not \(2,\)"),
        ({"y": [0, 1, 2, 0]}, "y must be class numbers from 0 to 1, but contains 2"),
        ({"y": [0, 1, 0.5, 0]}, "y must be class numbers from 0 to 1, but contains 0.5"),
        ({"loss": "mse", "y": [[0, 1]] * 4}, r"y must have shape \(4, 1\) or \(4, 1, 1\), not \(4, 2\)"),
        ({"loss": "hinge"}, "loss must be one of 'mse', 'cross-entropy', not 'hinge'"),
        ({"epochs": 0}, "epochs must be a whole number ≥ 1, not 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number ≥ 1, not 2.5"),
        ({"patience": 3}, "patience needs examples set aside: give a validation_split > 0"),
        ({"validation_split": 1.0}, r"validation_split must be in \[0, 1\), not 1.0"),
        ({"validation_split": 0.01}, "validation_split=0.01 of 4 examples leaves too few"),
        ({"hops": 0}, "hops must be a whole number ≥ 1, not 0"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    x, y = XOR
    settings = {"X": x, "y": y, "loss": "cross-entropy", "progress_bar": False, **settings}
    with pytest.raises(ValueError, match=message):
        little().fit(settings.pop("X"), settings.pop("y"), **settings)


def test_the_original_rule_knows_no_batches():
    net = Network.layered(inputs=2, outputs=1, rule="original", seed=0)
    with pytest.raises(ValueError, match="the original rule learns one cycle at a time"):
        net.fit(*XOR, epochs=1, progress_bar=False)


@pytest.mark.parametrize("engine", [lambda net: net, MessageNetwork], ids=["kernels", "messages"])
def test_free_strengths_take_no_infinite_inputs(engine):
    build = NetworkBuilder(0, rule="free", dual_rail=False)
    inputs = build.add_inputs(1)
    build.allow(build.add_outputs(1, "identity"), sources=inputs)
    net = engine(build.build())
    with pytest.raises(ValueError, match="inputs must be finite, but contain inf"):
        net.propagate([np.inf])
