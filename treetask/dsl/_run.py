"""The way from a compiled tree to whoever runs it. The engine is on a floor above and is handed in from there."""

from __future__ import annotations

from typing import Any, Protocol

from treetask._errors import InternalError
from treetask.model import ExecutionResult, TaskTree, TreeTaskConfig


class Runner(Protocol):
    """What runs a tree: returns its result or raises, see `TreeFailed` and `TreeCancelled`."""

    async def run(self, tree: TaskTree, /, *, config: TreeTaskConfig | None) -> ExecutionResult[Any]:
        """Run a tree on the event loop that is running."""
        ...

    def run_sync(self, tree: TaskTree, /, *, config: TreeTaskConfig | None) -> ExecutionResult[Any]:
        """Run a tree on an event loop of its own, and handle signals where this is the main thread."""
        ...


class _NoRunner:
    """Stands in until the package is put together."""

    async def run(self, tree: TaskTree, /, *, config: TreeTaskConfig | None) -> ExecutionResult[Any]:
        return self.run_sync(tree, config=config)

    def run_sync(self, tree: TaskTree, /, *, config: TreeTaskConfig | None) -> ExecutionResult[Any]:
        raise InternalError(f"'{tree.root.id}' cannot run: `import treetask` installed no engine")


def options_of_run(owner: str, keywords: dict[str, Any]) -> TreeTaskConfig | None:
    """Take what says how to run out of the keywords of `run` or `build`, and leave what says what.

    Raises `TypeError` for a config that is none, and for what this version does not have.
    """
    for name in ("store", "backend"):
        if keywords.pop(name, None) is not None:
            raise TypeError(f"{owner}: option '{name}' is not available in this version of TreeTask")
    config = keywords.pop("config", None)
    if config is not None and not isinstance(config, TreeTaskConfig):
        raise TypeError(f"{owner}: config is {config!r}; expected a TreeTaskConfig")
    return config


_runner: Runner = _NoRunner()


def install_runner(runner: Runner) -> None:
    """Let `runner` run the trees of all declarations from now on."""
    global _runner  # noqa: PLW0603 - the one place where the floors are put together
    _runner = runner


def runner() -> Runner:
    """Return what runs trees."""
    return _runner
