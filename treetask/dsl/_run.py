"""The way from a compiled tree to whoever runs it. The engine is on a floor above and is handed in from there."""

from __future__ import annotations

from os import PathLike
from typing import Any, NamedTuple, Protocol, TypeAlias

from treetask._errors import InternalError
from treetask.abc import RunStore
from treetask.model import ExecutionResult, TaskTree, TreeTaskConfig

#: Where a run is recorded: a path or URL, or a store that is open.
StorePlace: TypeAlias = RunStore | str | PathLike[str]


class HowToRun(NamedTuple):
    """What the keywords of `run` say beside the parameters."""

    config: TreeTaskConfig | None
    store: StorePlace | None


class Runner(Protocol):
    """What runs a tree: returns its result or raises, see `TreeFailed` and `TreeCancelled`."""

    async def run(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[Any]:
        """Run a tree on the event loop that is running."""
        ...

    def run_sync(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[Any]:
        """Run a tree on an event loop of its own, and handle signals where this is the main thread."""
        ...


class _NoRunner:
    """Stands in until the package is put together."""

    async def run(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[Any]:
        return self.run_sync(tree, how)

    def run_sync(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[Any]:
        raise InternalError(f"'{tree.root.id}' cannot run: `import treetask` installed no engine")


def options_of_run(owner: str, keywords: dict[str, Any], *, runs: bool) -> HowToRun:
    """Take what says how to run out of the keywords of `run` or `build`, and leave what says what.

    Raises `TypeError` for a config or store that is none, and for what this version does not have.
    """
    if keywords.pop("backend", None) is not None:
        raise TypeError(f"{owner}: option 'backend' is not available in this version of TreeTask")
    config = keywords.pop("config", None)
    if config is not None and not isinstance(config, TreeTaskConfig):
        raise TypeError(f"{owner}: config is {config!r}; expected a TreeTaskConfig")
    store = keywords.pop("store", None)
    if store is not None and not runs:
        raise TypeError(f"{owner} runs nothing, so there is nothing to store; give store= to run()")
    if store is not None and not isinstance(store, (str, PathLike)) and not hasattr(store, "open_journal"):
        raise TypeError(f"{owner}: store is {store!r}; expected a path, a URL or a treetask.store.Store")
    return HowToRun(config, store)


_runner: Runner = _NoRunner()


def install_runner(runner: Runner) -> None:
    """Let `runner` run the trees of all declarations from now on."""
    global _runner  # noqa: PLW0603 - the one place where the floors are put together
    _runner = runner


def runner() -> Runner:
    """Return what runs trees."""
    return _runner
