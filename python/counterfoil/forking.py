"""What happens to open trails when the process forks: the child starts anew, the parent goes on."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forks(Protocol):
    """Something that must know when it finds itself in a forked child."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""


_watched: weakref.WeakSet[Forks] = weakref.WeakSet()


def watch(one: Forks) -> None:
    """Tells `one` when this process turns out to be a forked child."""
    _watched.add(one)


def _in_child() -> None:
    for one in list(_watched):
        one.after_fork()


os.register_at_fork(after_in_child=_in_child)
