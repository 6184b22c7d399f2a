"""What the decorators collect: declarations and the bodies and references in them. Plain data, read by the compiler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from treetask.dsl._parameters import NO_PARAMETERS, Parameters
from treetask.dsl._place import Place
from treetask.model import BodyKind, NodeOptions


@dataclass(frozen=True, slots=True, repr=False)
class Reference:
    """The result of another declaration, as the default value of a parameter; a run fills in the value."""

    target: Declaration

    def __repr__(self) -> str:
        return f"<output of '{self.target.path}'>"


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """The user's function, looked at once."""

    fn: Callable[..., Any]
    kind: BodyKind
    #: Whether the first argument is the node.
    wants_node: bool
    #: What callers see: everything but the node.
    parameters: Parameters
    #: The parameters whose values come from other tasks.
    references: Mapping[str, Reference]


class Declared:
    """The base of handles: what `depends_on` takes."""

    _declared: Declaration


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OptionalEdge:
    """A dependency that need only have ended, however it did; made by `task.optional`."""

    target: Declaration

    def __repr__(self) -> str:
        return f"<optional '{self.target.path}'>"


@dataclass(slots=True, eq=False, repr=False)
class Declaration:
    """One task, group or registry, where it stands, and what it says about its nodes."""

    #: Its id among its siblings, which keys of children begin with.
    label: str
    #: Its id in a tree: the labels from the registry down.
    path: str
    #: The group that it belongs to; a registry has none.
    parent: Declaration | None
    place: Place
    #: What people see, where that is not the label.
    name: str | None
    body: Body | None
    #: Whether it is only spawned, never placed in the static tree.
    is_template: bool
    #: The options that it, and children made from it, may have.
    option_names: frozenset[str]
    #: What `node_options` takes, checked, without dependencies.
    options: Mapping[str, Any]
    depends_on: tuple[Declaration | OptionalEdge, ...] = ()
    #: The declarations right below it, by label.
    members: dict[str, Declaration] = field(default_factory=dict[str, "Declaration"])
    #: The options that all its spawned nodes share, once one was spawned.
    shared_options: NodeOptions | None = None

    @property
    def parameters(self) -> Parameters:
        """What its body takes from callers."""
        return NO_PARAMETERS if self.body is None else self.body.parameters

    @property
    def references(self) -> Mapping[str, Reference]:
        """The parameters whose values come from other tasks."""
        return {} if self.body is None else self.body.references

    def ancestors(self) -> Iterator[Declaration]:
        """Yield the declaration itself and what it belongs to, up to the registry."""
        declared: Declaration | None = self
        while declared is not None:
            yield declared
            declared = declared.parent

    def registry(self) -> Declaration:
        """Return the topmost ancestor."""
        *_, top = self.ancestors()
        return top

    def template(self) -> Declaration | None:
        """Return the nearest template among itself and its ancestors: what has to be spawned for it to exist."""
        return next((each for each in self.ancestors() if each.is_template), None)

    def is_within(self, top: Declaration) -> bool:
        """Whether it is `top` or anywhere below it."""
        return any(each is top for each in self.ancestors())

    def placed(self) -> Iterator[tuple[Declaration, int]]:
        """Yield itself and everything below it that has a node wherever it has one, with the depth, parents first."""
        waiting: list[tuple[Declaration, int]] = [(self, 0)]
        while waiting:
            declared, depth = waiting.pop()
            yield declared, depth
            waiting += [(each, depth + 1) for each in reversed(declared.members.values()) if not each.is_template]

    def __str__(self) -> str:
        return f"task '{self.path}' ({self.place})"

    def __repr__(self) -> str:
        return f"<Declaration '{self.path}'>"
