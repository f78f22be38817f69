"""The script for the digits: every model has its line."""

import pytest

pytest.importorskip("sklearn")
import digits


def test_the_table_compares_with_the_multilayer_perceptron():
    named = dict.fromkeys(digits.CALLED, 0.5)
    done = [
        {"seed": 0, "accuracy": named | {"simplex": 0.97}, "cpu_s": named | {"simplex": 0.1}},
        {"seed": 1, "accuracy": named | {"simplex": 0.99}, "cpu_s": named | {"simplex": 0.2}},
    ]
    lines = digits.table(done).splitlines()
    assert lines[2] == "| `DynLiveClassifier()`, the simplex | 2 | 98.0% | 97.0% | 0.15 | 0.30 |"
    assert lines[4].endswith("| 50.0% | 50.0% | 0.50 | – |")
    assert set(digits.models(0)) == set(digits.CALLED)
