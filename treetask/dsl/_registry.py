"""The registry of a module: what tasks and groups are declared on, and the root of the tree that they compile to."""

from __future__ import annotations

from typing_extensions import TypedDict, Unpack

from treetask.dsl._compile import build_tree
from treetask.dsl._declare import declare_root
from treetask.dsl._decorators import Policy, Scope
from treetask.dsl._place import Place
from treetask.dsl._run import runner
from treetask.model import ExecutionResult, TaskTree, TreeTaskConfig


class RegistryOptions(TypedDict, total=False):
    """What `Registry(...)` takes beside its id."""

    #: What people see; the id where it is not given.
    name: str
    #: Whether the children run at the same time; they do by default.
    parallel: bool
    #: What happens to the other children when one fails; the config's policy where it is not given.
    on_failure: Policy
    #: Attempts after the first; 0 by default.
    max_retries: int
    #: Seconds that the whole may take.
    timeout: float | None


class Registry(Scope):
    """The declarations of a module: `tree = Registry("nightly")`.

    It is itself the root group of the tree that they compile to. Several registries are several trees. There is no
    other state: a declaration stands below the handle that it was made with.
    """

    def __init__(self, id: str, /, **options: Unpack[RegistryOptions]) -> None:
        self._declared = declare_root(id, Place.of_caller(), options, RegistryOptions.__optional_keys__)

    @property
    def label(self) -> str:
        """Its id, which all paths begin with."""
        return self._declared.label

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
