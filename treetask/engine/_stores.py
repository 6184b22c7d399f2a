"""The way from a path or URL to the store there. Stores are on a floor above and are handed in from there."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike

from treetask._errors import InternalError
from treetask.abc import RunStore


def _no_store(place: str | PathLike[str]) -> RunStore:
    raise InternalError(f"nothing opens the store at {place}: `import treetask` installed no stores")


_open: Callable[[str | PathLike[str]], RunStore] = _no_store


def install_stores(opener: Callable[[str | PathLike[str]], RunStore]) -> None:
    """Let `opener` open what `store=` names from now on."""
    global _open  # noqa: PLW0603 - the one place where the floors are put together
    _open = opener


def opened(place: str | PathLike[str]) -> RunStore:
    """Return the store at a place. Blocks; raises what opening it raises."""
    return _open(place)
