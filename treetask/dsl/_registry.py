"""The registry of a module: what tasks and groups are declared on, and the root of the tree that they compile to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from typing_extensions import TypedDict, Unpack

from treetask._errors import DefinitionError
from treetask.dsl._compile import build_tree
from treetask.dsl._declare import declare_root
from treetask.dsl._decorators import Policy, Scope
from treetask.dsl._place import Place
from treetask.dsl._run import runner
from treetask.model import ExecutionResult, Limit, Retry, TaskTree, TreeTaskConfig


class RegistryOptions(TypedDict, total=False):
    """What `Registry(...)` takes beside its id."""

    #: What people see; the id where it is not given.
    name: str
    #: Whether the children run at the same time; they do by default.
    parallel: bool
    #: What happens to the other children when one fails; the config's policy where it is not given.
    on_failure: Policy
    #: How many children, with all below them, may have started and not ended.
    max_parallel: int
    #: Attempts after the first; 0 by default.
    max_retries: int
    #: When and how often a failed attempt of the whole is repeated.
    retry: Retry
    #: Seconds that the whole may take.
    timeout: float | None
    #: What the whole can be selected by.
    tags: Iterable[str]


class Registry(Scope):
    """The declarations of a module: `tree = Registry("nightly")`.

    It is itself the root group of the tree that they compile to. Several registries are several trees. There is no
    other state: a declaration stands below the handle that it was made with.
    """

    def __init__(self, id: str, /, **options: Unpack[RegistryOptions]) -> None:
        self._declared = declare_root(id, Place.of_caller(), options, RegistryOptions.__optional_keys__)
        self._limits: Final[dict[str, tuple[Limit, Place]]] = {}

    @property
    def label(self) -> str:
        """Its id, which all paths begin with."""
        return self._declared.label

    def limit(self, name: str, *, max_concurrency: int | None = None, per_second: float | None = None) -> Limit:
        """Return a limit that all tasks share which name it: `@tree.task(limits=[api])`.

        At most `max_concurrency` of their bodies run at once, and at most `per_second` start in any second; each
        attempt is a start. Raises `DefinitionError` for a second limit of that name.
        """
        limit, place = Limit(name, max_concurrency, per_second), Place.of_caller()
        if name in self._limits:
            first = self._limits[name][1]
            raise DefinitionError(
                f"registry '{self.label}' has a limit '{name}' already ({first}), and again at {place}; share the first"
            )
        self._limits[name] = limit, place
        return limit

    def build(self, config: TreeTaskConfig | None = None) -> TaskTree:
        """Return the tree of everything declared; every check is made, nothing runs.

        Raises `DefinitionError` for a tree that could not run.
        """
        return build_tree(self._declared, (), {}, config)

    async def run(self, *, config: TreeTaskConfig | None = None) -> ExecutionResult[None]:
        """Build the tree, run it and return its result.

        Raises what `build` raises, and `TreeFailed` if anything failed.
        """
        return await runner().run(self.build(config), config=config)

    def run_sync(self, *, config: TreeTaskConfig | None = None) -> ExecutionResult[None]:
        """Do what `run` does, on an event loop of its own."""
        return runner().run_sync(self.build(config), config=config)

    def __repr__(self) -> str:
        return f"<Registry '{self.label}' at {self._declared.place}>"
