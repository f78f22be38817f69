"""A connection to Ray: to a cluster that there is, or to one of this machine's cores for as long as it is needed."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOCAL = "local"
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anyone
    "RAY_worker_niceness": "0",  # as processes that anyone starts
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a warning about machines without accelerators
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no files for TensorBoard beside those of the study
    "RAY_AIR_NEW_OUTPUT": "0",
}
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def prepare_environment() -> None:
    """Set what Ray reads as it is loaded, unless it is set."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


@contextmanager
def connected(address: str = LOCAL, cores: int | None = None) -> Iterator[Any]:
    """Yield the module `ray`, connected; one that was connected already is used as it is, and stays so.

    Parameters
    ----------
    address
        "local": a cluster of its own on this machine, which ends with the connection. "auto": the one that this machine
        belongs to. Else host:port of a cluster's head, or ray://host:port of its client server.
    cores
        Cores that a local one may use, ≥ 1. None: all.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ConnectionError
        If there is no such cluster.
    """
    prepare_environment()
    try:
        import ray
    except ImportError:
        raise ImportError('to run on a Ray cluster, pip install "dynlive-rl[sweep]"') from None
    if ray.is_initialized():
        yield ray
        return
    settings: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address == LOCAL:
        for name in THREADS:  # workers inherit it
            os.environ.setdefault(name, "1")
        settings |= {"num_cpus": cores, "include_dashboard": False}
    try:
        ray.init(address, **settings)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        sentence = " ".join(str(error).split()).partition(". ")[0]
        raise ConnectionError(f"there is no Ray cluster to be reached at {address!r}: {sentence}") from None
    try:
        yield ray
    finally:
        ray.shutdown()
