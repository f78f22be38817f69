"""Accuracy and training time on scikit-learn's digits, beside its own MLPClassifier of the same size.

Stratified splits with a quarter to test on, one per seed; everyone gets the same pixels, scaled to [0, 1], and 100 hidden
neurons. MLPClassifier runs as it comes (until it no longer improves) and with the epochs and batches of ours. Seconds are
CPU seconds of `fit`, one thread each.
"""

import argparse
import sys
import time
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neural_network import MLPClassifier

import runs
from dynlive_rl import DynLiveClassifier
from runs import Run
from workers import hand_in

KEY = ("seed",)
CALLED = {
    "simplex": "`DynLiveClassifier()`, the simplex",
    "free": '`DynLiveClassifier(constraint="free")`',
    "MLPClassifier": "scikit-learn's `MLPClassifier((100,))`",
    "MLPClassifier, same epochs and batches": "… with the epochs and batches of ours",
}


def models(seed: int) -> dict[str, Any]:
    """Return fresh classifiers by name."""
    ours = DynLiveClassifier((100,), random_state=seed)
    return {
        "simplex": ours,
        "free": DynLiveClassifier((100,), constraint="free", random_state=seed),
        "MLPClassifier": MLPClassifier((100,), random_state=seed),
        "MLPClassifier, same epochs and batches": MLPClassifier(
            (100,), batch_size=ours.batch_size, max_iter=ours.epochs, n_iter_no_change=ours.epochs, random_state=seed
        ),
    }


def train(seed: int) -> Run:
    """Train every model on the split of a seed, one after another, and return accuracies and seconds by model."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    for model in models(0).values():  # compiles the kernels, and loads what is loaded once
        model.fit(X[:100], y[:100])
    [(train, test)] = StratifiedShuffleSplit(1, test_size=0.25, random_state=seed).split(X, y)
    accuracy, cpu_s = {}, {}
    for name, model in models(seed).items():
        start = time.process_time()
        model.fit(X[train], y[train])
        cpu_s[name] = round(time.process_time() - start, 3)
        accuracy[name] = round(float(model.score(X[test], y[test])), 4)
    return {"seed": seed, "accuracy": accuracy, "cpu_s": cpu_s}


def table(done: list[Run]) -> str:
    """Return one row per model."""
    lines = ["| | splits | test accuracy: mean | lowest | CPU s to train | ÷ MLPClassifier |", "|---" * 6 + "|"]
    reference = np.mean([run["cpu_s"]["MLPClassifier"] for run in done])
    for name, called in CALLED.items():
        accuracies = [run["accuracy"][name] for run in done]
        seconds = np.mean([run["cpu_s"][name] for run in done])
        times = "–" if name == "MLPClassifier" else f"{seconds / reference:.2f}"
        lines.append(
            f"| {called} | {len(done)} | {np.mean(accuracies):.1%} | {min(accuracies):.1%} | {seconds:.2f} | {times} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    runs.add_options(parser, out="results/digits", seeds="0-4")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    if options.one:
        hand_in(train(*options.seeds))
        return 0
    commands: dict[runs.Key, list[str]] = {(seed,): [__file__, "--one", "--seeds", str(seed)] for seed in options.seeds}
    return runs.tabulate(KEY, commands, options, table)


if __name__ == "__main__":
    sys.exit(main())
