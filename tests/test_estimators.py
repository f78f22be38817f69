"""The scikit-learn wrappers are what scikit-learn takes for estimators."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("sklearn")
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

from dynlive_rl import DynLiveClassifier, DynLiveRegressor


@parametrize_with_checks(
    [
        kind(constraint=constraint)
        for kind in (DynLiveClassifier, DynLiveRegressor)
        for constraint in ("simplex", "free")
    ]
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("constraint", ["simplex", "free"])
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_iris_across_folds(constraint, activation):
    X, y = load_iris(return_X_y=True)
    model = DynLiveClassifier((16,), constraint=constraint, activation=activation, epochs=200, random_state=0)
    assert cross_val_score(model, X, y, cv=5).mean() > 0.92


@pytest.mark.parametrize(("constraint", "least"), [("simplex", 0.95), ("free", 0.97)])
def test_digits(constraint, least):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    model = DynLiveClassifier(constraint=constraint, random_state=0).fit(X_train, y_train)
    assert model.score(X_test, y_test) >= least


@pytest.mark.parametrize("constraint", ["simplex", "free"])
def test_a_curve_is_learned(constraint):
    X = np.random.default_rng(0).uniform(-3, 3, (300, 2))
    y = 10 + np.sin(X[:, 0]) * X[:, 1]
    assert DynLiveRegressor(constraint=constraint, epochs=150, random_state=0).fit(X, y).score(X, y) > 0.9


def test_names_of_classes_are_kept_and_probabilities_sum_to_1():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = DynLiveClassifier((8,), epochs=5, random_state=0).fit(X, names)
    assert set(model.predict(X)) <= set(names)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_stopping_early_and_wrong_settings():
    X, y = load_iris(return_X_y=True)
    model = DynLiveClassifier((8,), validation_split=0.3, patience=2, epochs=500, random_state=0).fit(X, y)
    assert len(model.history_.loss) < 500
    with pytest.raises(ValueError, match="activation must be 'sigmoid' or 'relu', not 'tanh'"):
        DynLiveClassifier(activation="tanh").fit(X, y)
    with pytest.raises(ValueError, match="constraint must be one of 'simplex', 'free', not 'box'"):
        DynLiveClassifier(constraint="box").fit(X, y)


def test_a_pickled_classifier_predicts_the_same():
    X, y = load_iris(return_X_y=True)
    model = DynLiveClassifier((8,), epochs=5, random_state=0).fit(X, y)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))
