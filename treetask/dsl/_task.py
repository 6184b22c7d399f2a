"""The handles of tasks: what a decorated function becomes, for the type checker and for people.

A handle is three things: a function that can still be called, as plain Python; a description that children and trees
are made from; and a name for the results that come of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, TypeAlias, cast, overload

from typing_extensions import ParamSpec, TypeVar

from treetask.dsl._compile import build_tree, make_node, nodes_of
from treetask.dsl._declaration import Declaration, Declared, OptionalEdge, Reference, Way
from treetask.dsl._override import override
from treetask.dsl._params import make_given, names_of, split_values
from treetask.dsl._run import HowToRun, StorePlace, options_of_run, runner
from treetask.model import Child, ExecutionResult, Outcome, TaskNode, TaskTree, TreeTaskConfig

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

#: A body that receives its node.
NodeBody: TypeAlias = Callable[Concatenate[TaskNode, P], R]


class Task(Declared, Generic[P, R_co]):
    """A declared task: its parameters (without the node) and the type of its result.

    What the decorators return is one of its kinds: an `AsyncTask` or `SyncTask` can be called like the function that it
    was made from. A spawner, whose children need an engine, cannot.
    """

    def __init__(self, declared: Declaration) -> None:
        self._declared = declared
        #: Its id among its siblings; ids of spawned children begin with it.
        self.label: Final = declared.label
        #: Whether one argument by position is all that it needs.
        self._takes_one = declared.parameters.problem((None,), {}) is None
        if declared.body is not None:
            fn = declared.body.fn
            self.__doc__ = fn.__doc__
            for name in ("__module__", "__name__", "__qualname__"):
                if hasattr(fn, name):
                    setattr(self, name, getattr(fn, name))
            self.__wrapped__ = fn
            # What callers see: without the node.
            self.__signature__ = declared.parameters.signature

    @property
    def fn(self) -> Callable[..., Any]:
        """The function as it was written, which takes the node if it wants one."""
        if self._declared.body is None:
            raise AttributeError(f"group '{self._declared.path}' has no body, so it has no fn")
        return self._declared.body.fn

    @property
    def output(self) -> R_co:
        """The result, as the default value of another task's parameter: `raw: bytes = extract.output`.

        To the type checker it is the result; until a run fills in the value it is a reference to it. The other task
        waits for this one and is skipped if this one does not end well.
        """
        return cast("R_co", Reference(self._declared))

    @property
    def maybe(self) -> R_co | None:
        """The same for one that need not end well: `raw: bytes | None = extract.maybe`, None if it did not."""
        return cast("R_co | None", Reference(self._declared, Way.MAYBE))

    @property
    def outcome(self) -> Outcome[R_co]:
        """How this task ended, as such a default value: `out: Outcome[bytes] = extract.outcome`, either way."""
        return cast("Outcome[R_co]", Reference(self._declared, Way.OUTCOME))

    @property
    def optional(self) -> OptionalEdge:
        """An entry for `depends_on` that need only have ended: not before this task, but also if it failed."""
        return OptionalEdge(self._declared)

    def child(self, /, *args: P.args, **kwargs: P.kwargs) -> Child[R_co]:
        """Return a description of a node with these arguments, for a spawner to yield; nothing runs by itself.

        Raises `TypeError` for arguments that do not fit.
        """
        if kwargs or len(args) != 1 or not self._takes_one or type(args[0]) is Reference:
            self._check_arguments(".child", args, kwargs)
        return Child(self, args, kwargs)

    @overload
    def build(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskTree: ...
    @overload
    def build(self, /, *args: object, config: TreeTaskConfig | None, **kwargs: object) -> TaskTree: ...
    def build(self, /, *args: object, **kwargs: object) -> TaskTree:
        """Return the tree that has this task, called with these arguments, as its root; every check is made.

        Raises `TypeError` for arguments that do not fit and `DefinitionError` for a tree that could not run.
        """
        return self._build("build", args, kwargs)[0]

    @overload
    async def run(self, /, *args: P.args, **kwargs: P.kwargs) -> ExecutionResult[R_co]: ...
    @overload
    async def run(self, /, *args: object, config: TreeTaskConfig | None, **kwargs: object) -> ExecutionResult[R_co]: ...
    @overload
    async def run(self, /, *args: object, store: StorePlace | None, **kwargs: object) -> ExecutionResult[R_co]: ...
    async def run(self, /, *args: object, **kwargs: object) -> ExecutionResult[R_co]:
        """Build the tree that has this task as its root, run it and return its result.

        The parameters of the pipeline are keywords as well; a type checker lets them pass where `config=` or `store=`
        stands beside them (None leaves it to the tree, and records nothing). `store` is where the run is recorded: a
        path or URL that `treetask.store.Store` takes, or such a store.

        Raises what `build` raises, `StoreError` for a store that cannot be used, and `TreeFailed` if anything failed.
        """
        tree, how = self._build("run", args, kwargs)
        return await runner().run(tree, how)

    @overload
    def run_sync(self, /, *args: P.args, **kwargs: P.kwargs) -> ExecutionResult[R_co]: ...
    @overload
    def run_sync(self, /, *args: object, config: TreeTaskConfig | None, **kwargs: object) -> ExecutionResult[R_co]: ...
    @overload
    def run_sync(self, /, *args: object, store: StorePlace | None, **kwargs: object) -> ExecutionResult[R_co]: ...
    def run_sync(self, /, *args: object, **kwargs: object) -> ExecutionResult[R_co]:
        """Do what `run` does, on an event loop of its own."""
        tree, how = self._build("run_sync", args, kwargs)
        return runner().run_sync(tree, how)

    def override(
        self, fn: Callable[P, Awaitable[R_co]] | NodeBody[P, Awaitable[R_co]], /
    ) -> AbstractContextManager[None]:
        """Let `fn` be the body for the time of a `with`, in what is built or spawned meanwhile, and in calls.

        For tests: `with fetch.override(fake): result = tree.run_sync()`. What `fn` takes by default from a run, or what
        the original does, is filled in. It holds in the whole process. Raises `BodyError` for a function that cannot be
        called like the original.
        """
        return override(self._declared, fn)

    def nodes_in(self, tree: TaskTree) -> list[TaskNode]:
        """Return the nodes of a tree that were made from this task, placed and spawned ones."""
        return nodes_of(self._declared, tree)

    def make_node(self, child: Child[Any], node_id: str) -> TaskNode:
        """Return the node that a child becomes, in no tree yet. For the engine."""
        return make_node(self._declared, child, node_id)

    def _build(self, called: str, args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[TaskTree, HowToRun]:
        owner = f"{self._declared.label}.{called}()"
        how = options_of_run(owner, kwargs, runs=called != "build")
        own, shared = split_values(self._declared, kwargs)
        registry = self._declared.registry()
        self._check_arguments(f".{called}", args, own, names_of(registry))
        given = make_given(self._declared, shared, owner)
        return build_tree(self._declared, args, own, how.config, given), how

    def _check_arguments(
        self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], also: Iterable[str] = ()
    ) -> None:
        problem = self._declared.parameters.problem(args, kwargs, also)
        for value in (*args, *kwargs.values()) if kwargs else args:
            if type(value) is Reference and problem is None:
                problem = (
                    f"was given {value!r}, which is a value only as the default of a parameter: def f(x=task.output)"
                )
        if problem is not None:
            raise TypeError(f"{self._declared.label}{method}() {problem}")

    def _call_body(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        """Call the function as plain Python; one that wants a node gets a node that is in no tree."""
        declared, called = self._declared, f"{self.label}()"
        body = declared.current
        if body is None:
            raise TypeError(f"group '{declared.path}' has no body to call; run it: await {self.label}.run()")
        if body.kind.yields:
            raise TypeError(
                f"{called} cannot be called: it yields children, which need an engine; "
                f"run it: await {self.label}.run(...)"
            )
        if body.wants_node and args and isinstance(args[0], TaskNode):
            raise TypeError(
                f"{called} gets a node by itself; leave it out, or hand yours to {self.label}.fn(node, ...)"
            )
        self._check_arguments("", args, kwargs)
        kwargs = declared.taken(kwargs)
        given = body.parameters.given(args, kwargs)
        for name, reference in body.references.items():
            if name not in given:
                raise TypeError(
                    f"{called} needs '{name}', which only a run takes from the {reference}; "
                    f"give it: {self.label}({name}=...)"
                )
        return (
            body.fn(TaskNode(declared.path, self.label), *args, **kwargs)
            if body.wants_node
            else body.fn(*args, **kwargs)
        )

    if not TYPE_CHECKING:
        # To the type checker only the kinds below can be called.
        def __call__(self, /, *args: object, **kwargs: object) -> object:
            return self._call_body(args, kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self._declared.path}' at {self._declared.place}>"


class AsyncTask(Task[P, R_co]):
    """A task made from an `async def`. Calling it is calling the function: no node in a tree, no engine."""

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Call the function; parameters that a run would fill in have to be given.

        A call inside another body is a call, and makes no node.
        """
        return cast("Coroutine[Any, Any, R_co]", self._call_body(args, kwargs))


class SyncTask(Task[P, R_co]):
    """A task made from a `def`, which a run calls in a thread. Calling it is calling the function, in this thread."""

    if TYPE_CHECKING:

        def override(
            self,
            fn: Callable[P, R_co] | NodeBody[P, R_co] | Callable[P, Awaitable[R_co]] | NodeBody[P, Awaitable[R_co]],
            /,
        ) -> AbstractContextManager[None]: ...

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function; parameters that a run would fill in have to be given.

        A call inside another body is a call, and makes no node.
        """
        return cast("R_co", self._call_body(args, kwargs))
