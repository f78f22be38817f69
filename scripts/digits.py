"""Accuracy and training time on scikit-learn's digits, beside its own MLPClassifier of the same size.

Five stratified splits with a quarter to test on; everyone gets the same pixels, scaled to [0, 1], and 100 hidden neurons.
MLPClassifier runs as it comes (until it no longer improves) and with the epochs and batches of ours. Seconds are CPU
seconds of `fit`; run it with OMP_NUM_THREADS=1 for one thread each.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neural_network import MLPClassifier

from dynlive_rl import DynLiveClassifier


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--splits", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/digits.json"), help="(default: %(default)s)")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = load_digits(return_X_y=True)
    X = X / 16
    for model in models(0).values():  # compiles the kernels, and loads what is loaded once
        model.fit(X[:100], y[:100])
    splits = StratifiedShuffleSplit(options.splits, test_size=0.25, random_state=0).split(X, y)
    runs: dict[str, list[tuple[float, float]]] = {}
    for seed, (train, test) in enumerate(splits):
        for name, model in models(seed).items():
            start = time.process_time()
            model.fit(X[train], y[train])
            seconds = time.process_time() - start
            runs.setdefault(name, []).append((float(model.score(X[test], y[test])), seconds))
    reference = np.mean([seconds for _, seconds in runs["MLPClassifier"]])
    result = {}
    for name, pairs in runs.items():
        accuracies, seconds = np.array(pairs).T
        result[name] = {
            "accuracy": round(float(accuracies.mean()), 4),
            "lowest": round(float(accuracies.min()), 4),
            "cpu_s": round(float(seconds.mean()), 3),
            "cpu_s ÷ MLPClassifier": round(float(seconds.mean() / reference), 2),
        }
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in result[name].items()))
    options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
