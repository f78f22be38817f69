"""The registry of activations, and the numbers they return."""

import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_allclose

from dynlive_rl import ActivationError, Network, NetworkBuilder, register_activation
from dynlive_rl.kernels.numerics import logistic


@njit
def logistic_of(x):
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = logistic(x[i])
    return y


def one_neuron(activation, dtype="float64", **settings):
    build = NetworkBuilder(0, dtype=dtype)
    eye = build.add_inputs(1)
    out = build.add_outputs(1, activation, **settings)
    build.allow(out, sources=eye)
    return build.build()


@pytest.mark.parametrize(
    ("name", "settings", "function"),
    [
        ("identity", {}, lambda s: s),
        ("square", {}, lambda s: s**2),
        ("power", {"power": 4.0}, lambda s: s**4),
        ("power", {"power": 1.5}, lambda s: s**1.5),
        ("relu", {"gain": 3.0}, lambda s, t: min(max(3 * (s - t), 0), 1)),
        ("sigmoid", {"gain": 8.0}, lambda s, t: 1 / (1 + np.exp(-8 * (s - t)))),
    ],
)
def test_built_in_activations(name, settings, function):
    net = one_neuron(name, **settings)
    j = net.output_ids[0]
    threshold = [net.threshold(j)] if name in ("relu", "sigmoid") else []
    for s in np.linspace(0, 1, 11):
        assert_allclose(net.propagate([s])[0], function(s, *threshold), rtol=0, atol=1e-14)


def test_float32_logistic_is_close_and_stays_within_0_and_1():
    x = np.linspace(-100, 100, 400_001, dtype=np.float32)
    y = logistic_of(x)
    assert y.dtype == np.float32
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    assert np.abs(y - exact).max() <= 6e-5
    assert y.min() >= 0
    assert y.max() <= 1


def test_float32_logistic_rises_steadily():
    y = logistic_of(np.linspace(-12, 12, 2001, dtype=np.float32))
    assert np.diff(y).min() >= -1e-7


def test_float64_logistic_is_exact_and_survives_extremes():
    x = np.array([-1e308, -1e3, -3.0, 0.0, 3.0, 1e3, 1e308])
    assert_allclose(logistic_of(x), [0, 0, 1 / (1 + np.exp(3)), 0.5, 1 / (1 + np.exp(-3)), 1, 1], rtol=1e-14, atol=0)


@pytest.mark.parametrize("wrong", ["sigmoud", "Sigmoid", "sigm"])
def test_an_unknown_name_suggests_the_nearest(wrong):
    build = NetworkBuilder(0)
    with pytest.raises(ActivationError, match=rf"^unknown activation '{wrong}': did you mean 'sigmoid'\?"):
        build.add_neurons(1, wrong)


def test_a_name_like_no_other_lists_them_all():
    with pytest.raises(ActivationError, match="there are 'identity', 'square', 'power', 'relu', 'sigmoid'"):
        NetworkBuilder(0).add_outputs(1, "zzz")


@pytest.mark.parametrize("name", ["identity", "square", "power", "relu", "sigmoid"])
def test_built_in_names_are_taken(name):
    with pytest.raises(ActivationError, match=f"activation '{name}' is built in: choose another name"):
        register_activation(name, lambda s: s, lambda s: 1.0)


@pytest.mark.parametrize(
    ("function", "derivative", "message"),
    [
        (lambda: 0.5, lambda s: 0.0, "function of activation 'own' must be callable with exactly one number"),
        (lambda s, t: s, lambda s: 1.0, "function of activation 'own' must be callable with exactly one number"),
        (lambda s: s, 3, "derivative of activation 'own' must be callable with exactly one number, not 3"),
        (lambda s: 2 * s, lambda s: 2.0, r"'own' must stay in \[0, 1\], but f\(1.0\) = 2.0"),
        (lambda s: s - 0.5, lambda s: 1.0, r"'own' must stay in \[0, 1\], but f\(0\.0\) = -0\.5"),
        (lambda s: s * np.nan, lambda s: 1.0, r"'own' must stay in \[0, 1\], but f\(0\.0\) = nan"),
        (lambda s: s, lambda s: 2.0, r"derivative of activation 'own' is 2 at .*, but f changes there by 1"),
        (lambda s: s, lambda s: np.inf, "derivative of activation 'own' must be finite, but it is inf at 0.0"),
        (lambda s: s.upper(), lambda s: 1.0, "Numba cannot compile the function of activation 'own'"),
        (lambda s: s, lambda s: undefined_name, "Numba cannot compile the derivative of activation 'own'"),  # noqa: F821
    ],
)
def test_what_cannot_be_an_activation_is_refused(function, derivative, message):
    with pytest.raises(ActivationError, match=message) as error:
        register_activation("own", function, derivative)
    assert "\n" not in str(error.value)
    with pytest.raises(ActivationError):
        NetworkBuilder(0).add_neurons(1, "own")


def test_a_kink_is_no_wrong_derivative():
    register_activation("tent", lambda s: 2 * min(s, 1 - s), lambda s: 2.0 if s < 0.5 else -2.0)
    assert one_neuron("tent").propagate([0.75]) == [0.5]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_registered_activation_works_and_survives_a_file(dtype, tmp_path):
    register_activation(
        "cube root", lambda s: (s + 0.001) ** (1 / 3) / 1.001, lambda s: (s + 0.001) ** (-2 / 3) / 3.003
    )
    net = one_neuron("cube root", dtype)
    assert_allclose(net.propagate([0.5]), 0.501 ** (1 / 3) / 1.001, rtol=1e-6)
    net.save(tmp_path / "net")
    again = Network.load(tmp_path / "net")
    assert again.layers[-1].activation == "cube root"
    assert again.propagate([0.2]) == net.propagate([0.2])


def test_registering_again_leaves_networks_built_before_alone():
    register_activation("mine", lambda s: s, lambda s: 1.0)
    old = one_neuron("mine")
    register_activation("mine", lambda s: 1 - s, lambda s: -1.0)
    assert old.propagate([0.25]) == [0.25]
    assert one_neuron("mine").propagate([0.25]) == [0.75]


def test_two_functions_on_one_line_are_told_apart():
    # They differ in their constants only, and Numba's cache would take the one for the other.
    register_activation("half square", lambda s: s**2 / 2, lambda s: s**1 / 1)
    net = one_neuron("half square")
    assert net.propagate([0.5]) == [0.125]


def test_two_own_activations_in_one_network_are_told_apart():
    register_activation("up", lambda s: s, lambda s: 1.0)
    register_activation("down", lambda s: 1 - s, lambda s: -1.0)
    build = NetworkBuilder(0, dtype="float64")
    eye = build.add_inputs(1)
    for name in ("down", "up"):
        build.allow(build.add_outputs(1, name), sources=eye)
    assert_allclose(build.build().propagate([0.2]), [0.8, 0.2])
