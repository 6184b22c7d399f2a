"""Which store a command means, and what is said where that one cannot be used.

Asked for in this order: `--store`, the environment's TREETASK_STORE, `store` in [tool.treetask], the project's own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from treetask._errors import TreeTaskError
from treetask.cli._options import Options
from treetask.cli._problem import CommandProblem
from treetask.cli._target import Defaults

if TYPE_CHECKING:
    # Loaded when a store is opened: help and plans need none.
    from treetask.store import Store

VARIABLE: Final = "TREETASK_STORE"
_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True)
class StorePlace:
    """A store that is not open yet."""

    #: What `Store` is opened with; None is the project's own.
    url: str | None
    #: The words that name it in a command, if it has to be named.
    words: tuple[str, ...] = ()

    def opened(self, *, fixes: tuple[str, ...] = ()) -> Store:
        """Return the store, made where there is none. Raises `CommandProblem`, with the fixes, if it cannot be used."""
        from treetask.store import Store

        try:
            return Store(self.url)
        except TreeTaskError as error:
            raise CommandProblem(str(error), fixes) from error

    def opened_if_there(self) -> Store | None:
        """Return the store; None where the project has none yet."""
        from treetask.store import Store, default_path

        try:
            if self.url is None and not default_path().exists():
                return None
            return Store(self.url, create=False)
        except TreeTaskError as error:
            raise CommandProblem(str(error)) from error


def place_of(options: Options, defaults: Defaults) -> StorePlace | None:
    """Return the store that a command means; None if it is to do without. Raises `CommandProblem` for one in memory."""
    if options.no_store:
        return None
    if options.store is not None:
        return StorePlace(_lasting(options.store, "--store"), ("--store", options.store))
    from_environment = os.environ.get(VARIABLE)
    if from_environment:
        return StorePlace(_lasting(from_environment, VARIABLE))
    if defaults.store is not None and defaults.project is not None:
        url = _lasting(defaults.store, "pyproject.toml: [tool.treetask] store")
        return StorePlace(_seen_from(defaults.project, url))
    return StorePlace(None)


def _lasting(url: str, who: str) -> str:
    if url in {"sqlite://", "sqlite:///", ":memory:", "sqlite:///:memory:"}:
        raise CommandProblem(f"{who} is '{url}', which is gone when the command ends; write --no-store to keep nothing")
    return url


def _seen_from(folder: Path, url: str) -> str:
    """Return where a store is that a file in a folder names."""
    if url.startswith(_SQLITE):
        return _SQLITE + str(folder / url.removeprefix(_SQLITE))
    return url if ":" in url[2:] else str(folder / url)
