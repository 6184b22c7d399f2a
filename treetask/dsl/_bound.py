"""A body with the arguments of one node: what the engine calls. Knows nothing of how it is driven.

Everything about the function was found out when it was declared. What is left for the call is to hand over the node and
the arguments, and, where parameters take what other tasks came to or what the run was given, to look these up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from treetask.dsl._backend import on_loop
from treetask.dsl._declaration import Body, Declaration, Given, Referent, Way
from treetask.model import BodyKind, Openable, OpensFirst, Outcome, Recalls, TaskNode, TaskStatus


class Input(NamedTuple):
    """A parameter that the end of another node fills."""

    parameter: str
    #: The id of that node.
    source: str
    reference: Referent

    @property
    def needs_node(self) -> bool:
        """Whether that node has to be in the tree: to know that nothing came of it, it need not."""
        return self.reference.way is not Way.MAYBE


class Inputs(NamedTuple):
    """All parameters of one body, or condition, that a run fills in."""

    nodes: tuple[Input, ...] = ()
    #: Those that take what the run was given.
    given: tuple[tuple[str, Referent], ...] = ()

    @property
    def resources(self) -> tuple[Any, ...]:
        """What of that has to be open first, each once."""
        targets = [reference.target for _, reference in self.given]
        return tuple(dict.fromkeys(each for each in targets if isinstance(each, Given) and each.is_opened))

    def values(self, node: TaskNode) -> dict[str, Any]:
        """Return the arguments, as seen from a node; what they are of has ended, or is there, by now."""
        tree = node._tree
        found: dict[str, Any] = {}
        for name, source_id, reference in self.nodes:
            source = None if tree is None else tree.find(source_id)
            if source is None and reference.way is not Way.MAYBE:
                raise TypeError(f"'{node.id}' takes '{name}' from '{source_id}', which is not in its tree")
            found[name] = None if source is None else reference.read(_come_to(source, reference.way))
        for name, reference in self.given:
            if tree is None or reference.target not in tree.given:
                raise TypeError(f"'{node.id}' takes '{name}' from <{reference}>, which its tree was not given")
            found[name] = reference.read(tree.given[reference.target])
        return found


def _come_to(source: TaskNode, way: Way) -> object:
    """Return what a parameter takes of a node that has ended."""
    if way is Way.OUTCOME:
        return Outcome(source)
    return source.result if way is Way.OUTPUT or source.status is TaskStatus.DONE else None


#: What a body has that takes nothing of a run.
NO_INPUTS: Final = Inputs()


class BoundBody:
    """A body with its arguments. Called with the node, gives what the function gives: see `kind`."""

    __slots__ = ("args", "body", "declaration", "fn", "kind")

    def __init__(self, declaration: Declaration, body: Body, args: tuple[Any, ...]) -> None:
        self.declaration: Final = declaration
        self.body: Final = body
        self.fn: Final = body.fn
        self.kind: Final = body.kind
        self.args: Final = args

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The parameters that other nodes fill."""
        return ()

    def __call__(self, node: TaskNode) -> object:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<body of '{self.declaration.path}'>"


class BoundArguments(BoundBody):
    """One with any arguments, and with what a run fills in."""

    __slots__ = ("kwargs", "run_inputs")

    def __init__(
        self, declaration: Declaration, body: Body, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: Inputs
    ) -> None:
        super().__init__(declaration, body, args)
        self.kwargs: Final = kwargs
        self.run_inputs: Final = inputs

    @property
    def inputs(self) -> tuple[Input, ...]:
        return self.run_inputs.nodes

    def __call__(self, node: TaskNode) -> object:
        kwargs = self.kwargs if self.run_inputs is NO_INPUTS else {**self.kwargs, **self.run_inputs.values(node)}
        return self.fn(node, *self.args, **kwargs) if self.body.wants_node else self.fn(*self.args, **kwargs)


# Unpacking arguments takes longer than the rest of the call, and most bodies have none or one. The function is called
# by way of a variable, since the language looks for a method where it is called as one.


class _NodeAndOne(BoundBody):
    __slots__ = ()

    def __call__(self, node: TaskNode) -> object:
        fn, (argument,) = self.fn, self.args
        return fn(node, argument)


class _Nothing(BoundBody):
    __slots__ = ()

    def __call__(self, node: TaskNode) -> object:
        return self.fn()


class _One(BoundBody):
    __slots__ = ()

    def __call__(self, node: TaskNode) -> object:
        fn, (argument,) = self.fn, self.args
        return fn(argument)


#: By how many arguments there are, and whether the body wants the node, too.
_FAST: Final[Mapping[tuple[int, bool], type[BoundBody]]] = {
    (0, False): _Nothing,
    (1, False): _One,
    (1, True): _NodeAndOne,
}


class _Opening(BoundArguments, OpensFirst):
    """One that takes resources: whoever drives it opens them first, or the coroutine that it gives does."""

    __slots__ = ("_resources",)

    def __init__(
        self, declaration: Declaration, body: Body, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: Inputs
    ) -> None:
        super().__init__(declaration, body, args, kwargs, inputs)
        self._resources: Final[tuple[Openable, ...]] = inputs.resources

    @property
    def resources(self) -> tuple[Openable, ...]:
        return self._resources

    def __call__(self, node: TaskNode) -> object:
        return self._open_and_call(node) if self.kind is BodyKind.ASYNC else super().__call__(node)

    async def _open_and_call(self, node: TaskNode) -> object:
        tree = node._tree
        if tree is not None and tree._driver is not None and not tree.given.keys() >= set(self._resources):
            await tree._driver.open(self._resources)
        result: Any = super().__call__(node)
        return await result


class _Recalled(_Opening, Recalls):
    """One whose result may be kept from an earlier run, and then it need not be called."""

    __slots__ = ()

    def __call__(self, node: TaskNode) -> object:
        return self._recall_or_call(node) if self.kind is BodyKind.ASYNC else super().__call__(node)

    async def _recall_or_call(self, node: TaskNode) -> object:
        tree = node._tree
        if tree is not None and tree._driver is not None:
            is_kept, kept = await tree._driver.recall(node)
            if is_kept:
                return kept
        result: Any = super().__call__(node)
        return await result


class BoundCondition:
    """A condition with what it takes. Called with the node, gives its answer."""

    __slots__ = ("_body", "_inputs", "fn")

    #: What it is to whoever looks at it: a plain function. It is asked on the event loop.
    kind: Final = BodyKind.THREAD

    def __init__(self, body: Body, inputs: Inputs) -> None:
        self._body: Final = body
        self.fn: Final = body.fn
        self._inputs: Final = inputs

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The parameters that other nodes fill."""
        return self._inputs.nodes

    @property
    def given(self) -> tuple[tuple[str, Referent], ...]:
        """The parameters that take what the run was given."""
        return self._inputs.given

    def __call__(self, node: TaskNode) -> object:
        values = self._inputs.values(node)
        return self._body.fn(node, **values) if self._body.wants_node else self._body.fn(**values)


def bind(
    declaration: Declaration, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: Inputs = NO_INPUTS
) -> Callable[[TaskNode], object] | None:
    """Return the body of one node, or None where the declaration has none.

    A function that takes the node, and nothing else here, needs no help: it is the body.
    """
    body = declaration.current
    if body is None:
        return None
    if declaration.stand_ins:
        kwargs = declaration.taken(kwargs)
    elif declaration.cache is not None:
        body = on_loop(body) if declaration.backend == "inline" and body.kind.in_thread else body
        return _Recalled(declaration, body, args, kwargs, inputs)
    if declaration.backend == "inline" and body.kind.in_thread:
        body = on_loop(body)
    elif body.wants_node and inputs is NO_INPUTS and not (args or kwargs):
        return body.fn
    fast = None if kwargs or inputs is not NO_INPUTS else _FAST.get((len(args), body.wants_node))
    if fast is not None:
        return fast(declaration, body, args)
    shape = _Opening if inputs.given and inputs.resources else BoundArguments
    return shape(declaration, body, args, kwargs, inputs)


def quick_bind(declaration: Declaration) -> Callable[[Declaration, Body, tuple[Any, ...]], BoundBody] | None:
    """Return what binds one argument to a body that takes nothing else; None where it takes more to do so."""
    body = declaration.body
    if body is None or body.references or declaration.backend is not None or declaration.cache is not None:
        return None
    return _FAST[1, body.wants_node]
