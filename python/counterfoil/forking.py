"""What happens to open trails when the process forks: the child starts anew, the parent goes on."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Forks(Protocol):
    """Something that must know when it finds itself in a forked child."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""


_watched: weakref.WeakSet[Forks] = weakref.WeakSet()


steady = threading.RLock()
"""Held while locked folders are opened and closed, so that no child begins between a lock and who knows of it."""


def watch(one: Forks) -> None:
    """Tells `one` when this process turns out to be a forked child."""
    _watched.add(one)


def _in_child() -> None:
    steady.release()
    for one in list(_watched):
        one.after_fork()


os.register_at_fork(before=steady.acquire, after_in_parent=steady.release, after_in_child=_in_child)
