"""What threads and forks must not tear apart.

Two locks, always taken in this order: a training loop holds its own over a step of its environment, an interaction its own
while its learner is at work. So `predict` waits for no environment, and `save` finds both between two steps. A process is
forked between two steps of every learner.
"""

import os
from threading import RLock
from typing import Any, Protocol
from weakref import WeakSet


class _Locked(Protocol):
    lock: Any


_between_steps: WeakSet[Any] = WeakSet()
_renewed: WeakSet[Any] = WeakSet()
_held: list[Any] = []


def held_over_forks(owner: _Locked) -> None:
    """Give an owner its lock; no process is forked while another thread holds it."""
    owner.lock = RLock()
    _between_steps.add(owner)


def renewed_in_forks(owner: _Locked) -> None:
    """Give an owner its lock; a forked process gets another one, because who held it is not there."""
    owner.lock = RLock()
    _renewed.add(owner)


def _before() -> None:
    for owner in list(_between_steps):
        owner.lock.acquire()
        _held.append(owner.lock)


def _after() -> None:
    while _held:
        _held.pop().release()


def _in_child() -> None:
    _after()
    for owner in list(_renewed):
        owner.lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_in_child)
