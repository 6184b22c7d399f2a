"""Which run a command is about that shows one again: on record in the store, or in a file of its events.

Says what is wrong where there is none such; what is made of a run is not its affair.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from treetask._errors import TreeTaskError
from treetask.cli._options import Options
from treetask.cli._place import StorePlace
from treetask.cli._problem import CommandProblem, ExitCode

if TYPE_CHECKING:
    from treetask.events import Line
    from treetask.store import Store

#: Said where there is no store; one is made by the first run.
NOTHING_YET: Final = "no run is on record here yet; the first one is recorded by: treetask TARGET"


def store_with_runs(place: StorePlace) -> Store:
    """Return the store. Raises `CommandProblem` where there is none."""
    store = place.opened_if_there()
    if store is None:
        raise CommandProblem(NOTHING_YET, exit_code=ExitCode.NOTHING_SELECTED)
    return store


@contextmanager
def looking_for_run(options: Options) -> Generator[None]:
    """Turn what is raised inside into a `CommandProblem`: that there is no run yet, or not the one that is meant."""
    try:
        yield
    except CommandProblem:
        raise
    except TreeTaskError as error:
        is_missing = options.source is None and options.run is None
        code = ExitCode.NOTHING_SELECTED if is_missing else ExitCode.MISUSE
        raise CommandProblem(str(error), exit_code=code) from error


def lines_of_file(file: str, command: str) -> Iterator[Line]:
    """Yield the lines of a file of events. Raises `CommandProblem` where there is none; it may have been a number."""
    from treetask.events import read_events

    if not Path(file).exists():
        raise CommandProblem(
            f"there is no file '{file}'; '{command}' takes the number of a run, which 'treetask runs' shows, "
            "or a file that --events wrote"
        )
    return read_events(file)
