"""The network as scikit-learn knows estimators: a classifier and a regressor. Needs the extra `examples`."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from . import supervised
from .network import Network
from .rule import Constraint, LearningRule

# Slopes of the hidden neurons by constraint: a mixture of many sources averages towards ½, which a gain makes up for.
_GAINS: dict[str, dict[str, float | tuple[float, float]]] = {
    "simplex": {"sigmoid": (12.0, 24.0), "relu": (4.0, 8.0)},
    "free": {"sigmoid": 4.0, "relu": 1.0},
}


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What classifier and regressor have in common: inputs scaled to [0, 1] by their range in `fit`, and the network."""

    def __init__(
        self,
        hidden: tuple[int, ...] = (100,),
        *,
        constraint: Constraint = "simplex",
        activation: Literal["sigmoid", "relu"] = "sigmoid",
        learning_rate: float = 0.005,
        epochs: int = 50,
        batch_size: int = 32,
        validation_split: float = 0.0,
        patience: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.constraint = constraint
        self.activation = activation
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.patience = patience
        self.random_state = random_state

    def _learn(self, X: NDArray[Any], y: NDArray[Any], outputs: int, loss: supervised.Loss) -> None:
        # A mixture cannot reach far at the output either: there a regressor's needs a gain, a classifier's softmax has it.
        curved = loss == "mse" and self.constraint == "simplex"
        rule = LearningRule(constraint=self.constraint, step="adam", learning_rate=self.learning_rate, credit_gain=1.0)
        if self.activation not in _GAINS[self.constraint]:
            raise ValueError(f"activation must be 'sigmoid' or 'relu', not {self.activation!r}")
        self.lowest_, self.range_ = _range(X)
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=2)
        self.network_ = Network.layered(
            inputs=X.shape[1],
            hidden=self.hidden,
            outputs=outputs,
            activation=self.activation,
            output_activation="sigmoid" if curved else "identity",
            gain=_GAINS[self.constraint][self.activation],
            rule=rule,
            seed=int(seeds[0]),
        )
        self.history_ = self.network_.fit(
            (X - self.lowest_) / self.range_,
            y,
            epochs=self.epochs,
            loss=loss,
            batch_size=self.batch_size,
            anneal=True,
            validation_split=self.validation_split,
            patience=self.patience,
            seed=int(seeds[1]),
            progress_bar=False,
        )

    def _outputs(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        inputs = validate_data(self, X, reset=False, dtype=np.float64)
        return self.network_.predict((inputs - self.lowest_) / self.range_).astype(np.float64)


class DynLiveClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A classifier: one output neuron per class, learned by cross-entropy.

    Inputs are scaled to [0, 1] by their range in `fit`.

    Parameters
    ----------
    hidden
        Sizes of the hidden layers.
    constraint
        What strengths may be: "simplex" or "free", see `LearningRule`.
    activation
        Of the hidden neurons: "sigmoid" or "relu".
    learning_rate
        Step size in the first epoch, > 0; it falls towards 0.
    epochs, batch_size, validation_split, patience
        As in `Network.fit`.
    random_state
        A whole number or a RandomState for the same result every time; None: another one every time.

    Attributes
    ----------
    network_ : Network
    history_ : History
    classes_ : ndarray
    n_features_in_ : int

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(DynLiveClassifier(hidden=(16,), random_state=0).fit(X, y).score(X, y) > 0.95)
    True
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from inputs (b, v) and their classes (b,)."""
        inputs, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        self._learn(inputs, numbers, max(self.classes_.size, 2), "cross-entropy")
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the probabilities (b, classes) of inputs (b, v)."""
        outputs = self._outputs(X)[:, : len(self.classes_)]
        return supervised.probabilities(self.network_.rule, outputs)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable classes (b,) of inputs (b, v)."""
        best = self._outputs(X)[:, : len(self.classes_)].argmax(axis=1)
        classes: NDArray[Any] = self.classes_[best]
        return classes


class DynLiveRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A regressor: one output neuron, learned by squared error on targets scaled by their range in `fit`.

    Parameters and attributes are those of `DynLiveClassifier` but for the classes.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-2, 2, 200)[:, None]
    >>> bool(DynLiveRegressor(epochs=200, random_state=0).fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.95)
    True
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from inputs (b, v) and their targets (b,)."""
        inputs, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self.target_lowest_, self.target_range_ = _range(targets)
        # Away from 0 and 1, which a sigmoid output never reaches.
        self._learn(inputs, 0.2 + 0.6 * (targets - self.target_lowest_) / self.target_range_, 1, "mse")
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the outputs (b,) for inputs (b, v)."""
        share = (self._outputs(X)[:, 0] - 0.2) / 0.6
        values: NDArray[np.floating] = self.target_lowest_ + share * self.target_range_
        return values


def _range(values: NDArray[Any]) -> tuple[Any, Any]:
    """Return the lowest values and the ranges of columns, 1 where all are the same."""
    lowest, highest = values.min(axis=0), values.max(axis=0)
    return lowest, np.where(highest > lowest, highest - lowest, 1.0)
