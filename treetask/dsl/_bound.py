"""A body with the arguments of one node: what the engine calls. Knows nothing of how it is driven.

Everything about the function was found out when it was declared. What is left for the call is to hand over the node and
the arguments, and, where parameters take the output of other tasks, to look these up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from treetask.dsl._declaration import Declaration
from treetask.model import TaskNode


class BoundBody:
    """A body with its arguments. Called with the node, gives what the function gives: see `kind`."""

    __slots__ = ("args", "declaration", "fn", "inputs", "kind", "kwargs")

    def __init__(
        self,
        declaration: Declaration,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        inputs: tuple[tuple[str, str], ...],
    ) -> None:
        body = declaration.body
        assert body is not None
        self.declaration: Final = declaration
        self.fn: Final = body.fn
        self.kind: Final = body.kind
        self.args: Final = args
        self.kwargs: Final = kwargs
        #: The parameters that other nodes fill, each with the id of its node.
        self.inputs: Final = inputs

    def __call__(self, node: TaskNode) -> object:
        body = self.declaration.body
        assert body is not None
        kwargs = {**self.kwargs, **self._outputs(node)} if self.inputs else self.kwargs
        return self.fn(node, *self.args, **kwargs) if body.wants_node else self.fn(*self.args, **kwargs)

    def _outputs(self, node: TaskNode) -> dict[str, Any]:
        """Return the results that the parameters take; what they are results of has ended by now."""
        found: dict[str, Any] = {}
        for name, node_id in self.inputs:
            source = None if node._tree is None else node._tree.find(node_id)
            if source is None:
                raise TypeError(f"'{node.id}' takes '{name}' from '{node_id}', which is not in its tree")
            found[name] = source.result
        return found

    def __repr__(self) -> str:
        return f"<body of '{self.declaration.path}'>"


# Unpacking arguments takes longer than the rest of the call, and most bodies have none or one.


class _Node(BoundBody):
    __slots__ = ()

    def __call__(self, node: TaskNode) -> object:
        return self.fn(node)


class _NodeAndOne(BoundBody):
    __slots__ = ()

    def __call__(self, node: TaskNode) -> object:
        (argument,) = self.args
        return self.fn(node, argument)


class _Nothing(BoundBody):
    __slots__ = ()

    def __call__(self, node: TaskNode) -> object:
        return self.fn()


class _One(BoundBody):
    __slots__ = ()

    def __call__(self, node: TaskNode) -> object:
        (argument,) = self.args
        return self.fn(argument)


#: By whether the body wants the node, for no argument and for one.
_FAST: Final[Mapping[bool, tuple[type[BoundBody], type[BoundBody]]]] = {
    True: (_Node, _NodeAndOne),
    False: (_Nothing, _One),
}


def bind(
    declaration: Declaration, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: tuple[tuple[str, str], ...]
) -> BoundBody | None:
    """Return the body of one node, or None where the declaration has none."""
    body = declaration.body
    if body is None:
        return None
    fast = _FAST[body.wants_node]
    shape = BoundBody if kwargs or inputs or len(args) >= len(fast) else fast[len(args)]
    return shape(declaration, args, kwargs, inputs)
