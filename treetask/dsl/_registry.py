"""The registry of a module: what tasks and groups are declared on, and the root of the tree that they compile to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from typing_extensions import TypedDict, TypeVar, Unpack

from treetask._errors import DefinitionError
from treetask.dsl._compile import build_tree
from treetask.dsl._declare import declare_root
from treetask.dsl._decorators import Policy, Scope
from treetask.dsl._params import Params, declare_params, make_given
from treetask.dsl._place import Place
from treetask.dsl._resource import Resource, declare_resource
from treetask.dsl._run import HowToRun, StorePlace, options_of_run, runner
from treetask.model import ExecutionResult, Limit, Retry, TaskTree, TreeTaskConfig

T = TypeVar("T")


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

    def params(self, cls: type[T], /) -> Params[T]:
        """Make the fields of a dataclass parameters of the pipeline: `settings = tree.params(Settings)`.

        Declarations take one as `env: str = settings.output.env`; a run is given it as `tree.run(env="prod")`, the
        command as `--env prod` or `--set env=prod`. Raises `TypeError` for what is no dataclass, `DefinitionError` for
        a field whose name another has or nobody could use.
        """
        return Params(declare_params(self._declared, cls, Place.of_caller()))

    def resource(self, fn: Callable[[], AsyncIterator[T]], /) -> Resource[T]:
        """Make what an async generator yields something that bodies share: `conn: Connection = session.output`.

        It is opened when the first body that takes it begins, and closed at the end of the run, whatever happened, in
        the reverse order of opening; all in one task of its own. What it needs itself are defaults of its parameters:
        parameters of the pipeline and other resources. Raises `BodyError` for a function that cannot be one, and
        `DefinitionError` for a second resource of that name.
        """
        return Resource(declare_resource(self._declared, fn))

    def build(self, /, config: TreeTaskConfig | None = None, **params: object) -> TaskTree:
        """Return the tree of everything declared, with these parameters; every check is made, nothing runs.

        Raises `TypeError` for parameters that do not fit and `DefinitionError` for a tree that could not run.
        """
        return self._build("build", {**params, "config": config})[0]

    async def run(
        self, /, *, config: TreeTaskConfig | None = None, store: StorePlace | None = None, **params: object
    ) -> ExecutionResult[None]:
        """Build the tree, run it and return its result.

        `store` is where the run is recorded: a path or URL that `treetask.store.Store` takes, or such a store; None
        records nothing. Raises what `build` raises, `StoreError` for a store that cannot be used, and `TreeFailed` if
        anything failed.
        """
        tree, how = self._build("run", {**params, "config": config, "store": store})
        return await runner().run(tree, how)

    def run_sync(
        self, /, *, config: TreeTaskConfig | None = None, store: StorePlace | None = None, **params: object
    ) -> ExecutionResult[None]:
        """Do what `run` does, on an event loop of its own."""
        tree, how = self._build("run_sync", {**params, "config": config, "store": store})
        return runner().run_sync(tree, how)

    def _build(self, called: str, keywords: dict[str, object]) -> tuple[TaskTree, HowToRun]:
        owner = f"registry '{self.label}': {called}()"
        how = options_of_run(owner, keywords, runs=called != "build")
        return build_tree(self._declared, (), {}, how.config, make_given(self._declared, keywords, owner)), how

    def __repr__(self) -> str:
        return f"<Registry '{self.label}' at {self._declared.place}>"
