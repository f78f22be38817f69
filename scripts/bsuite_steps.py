"""Steps at most of every setting of bsuite 0.3.6, by experiment: episodes · steps of an episode.

Its MNIST is downloaded, and left out.
"""

FEW = [*range(1, 11), 12, 14, 17, 20, 25]
STEPS = (
    {f"bandit{kind}": [10_000] * 20 for kind in ("", "_noise", "_scale")}
    | {f"cartpole{kind}": [1_000 * 1_000] * 20 for kind in ("", "_noise", "_scale", "_swingup")}
    | {f"catch{kind}": [10_000 * 9] * 20 for kind in ("", "_noise", "_scale")}
    | {f"deep_sea{kind}": [10_000 * size for size in range(10, 52, 2)] for kind in ("", "_stochastic")}
    | {"discounting_chain": [1_000 * 100] * 20}
    | {"memory_len": [10_000 * (length + 1) for length in [*FEW, *range(30, 105, 10)]]}
    | {"memory_size": [10_000 * 2] * 17}
    | {f"mountain_car{kind}": [1_000 * 1_000] * 20 for kind in ("", "_noise", "_scale")}
    | {"umbrella_distract": [10_000 * 20] * 23}
    | {"umbrella_length": [10_000 * length for length in [*FEW, *range(30, 105, 10)]]}
)
