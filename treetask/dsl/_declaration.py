"""What the decorators collect: declarations and the bodies and references in them. Plain data, read by the compiler."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import Any, ClassVar, Final, Literal, NoReturn, TypeAlias

from treetask.dsl._parameters import NO_PARAMETERS, Parameters
from treetask.dsl._place import Place
from treetask.model import BodyKind, NodeOptions, TaskNode

#: What tells the results of a task that are kept: all its arguments, or what a function of some of them returns.
Cache: TypeAlias = Literal["inputs"] | Callable[..., object]


class Way(Enum):
    """How a reference stands to the end of the task that it is to."""

    OUTPUT = "output"
    """It is the result, and needs a good end."""
    MAYBE = "maybe"
    """It is the result, or None where the task did not end well."""
    OUTCOME = "outcome"
    """It is an `Outcome`, whatever that is."""


class Given:
    """What a run has without a task for it, to be referred to: parameters, a resource."""

    #: Whether it has to be opened first, which takes time.
    is_opened: ClassVar[bool] = False

    def __init__(self, label: str, registry: Declaration, place: Place) -> None:
        self.label: Final = label
        self.registry: Final = registry
        self.place: Final = place

    @property
    def references(self) -> Mapping[str, Referent]:
        """What it takes itself, by parameter."""
        return {}

    def check_attribute(self, name: str) -> None:
        """Raise `AttributeError` for one that its value cannot have."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.label}'>"


@dataclass(frozen=True, slots=True, eq=False)
class Referent:
    """What a reference is to: the value of another declaration, or an attribute of it."""

    target: Declaration | Given
    way: Way = Way.OUTPUT
    attributes: tuple[str, ...] = ()

    @property
    def is_relaxed(self) -> bool:
        """Whether the task that it is need only have ended."""
        return self.way is not Way.OUTPUT

    def read(self, value: object) -> object:
        """Return what is referred to of the value of the target."""
        for name in self.attributes:
            value = getattr(value, name)
        return value

    def __str__(self) -> str:
        name = self.target.label if isinstance(self.target, Given) else self.target.path
        return f"{self.way.value} of '{'.'.join((name, *self.attributes))}'"


class Reference:
    """The value of another declaration, or an attribute of it, as the default of a parameter; a run fills it in.

    To the type checker it is that value, so any name may be one of its attributes. It has none of its own: what it is
    to, `referent_of` tells.
    """

    __slots__ = ("__referent",)

    def __init__(self, target: Declaration | Given, way: Way = Way.OUTPUT, attributes: tuple[str, ...] = ()) -> None:
        self.__referent: Final = Referent(target, way, attributes)

    def __getattr__(self, name: str) -> Reference:
        if name == _REFERENT:
            raise AttributeError(name)  # of one that is being copied, and has nothing yet
        referent = self.__referent
        if name.startswith("_"):
            raise AttributeError(
                f"{self!r} has no attribute '{name}': a name that begins with an underscore is private"
            )
        if referent.way is Way.MAYBE:
            raise AttributeError(f"{self!r} may be None, which has no attribute '{name}'; take it as it is")
        if isinstance(referent.target, Given) and not referent.attributes:
            referent.target.check_attribute(name)
        return Reference(referent.target, referent.way, (*referent.attributes, name))

    def __repr__(self) -> str:
        return f"<{self.__referent}>"


def _is_same(reference: Reference, other: object) -> bool:
    """Compare what signatures hold, with themselves."""
    return reference is other or _refuse_to_compute(reference)


def _is_other(reference: Reference, other: object) -> bool:
    return not _is_same(reference, other)


def _refuse_to_compute(reference: Reference, *_: object) -> NoReturn:
    """Raise `TypeError`: the type checker lets pass what it does with a result, and there is none yet."""
    raise TypeError(f"{reference!r} has a value only in a run; take it as it is, and do the rest in the body")


#: What would else give an answer at once, as `settings.output.env == "prod"` would: always False.
_COMPUTED: Final = (
    *("lt", "le", "gt", "ge", "bool", "format", "len", "getitem", "call"),
    *("neg", "pos", "abs", "invert", "round", "int", "float", "index"),
    *(
        f"{side}{name}"
        for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
        for side in ("", "r")
    ),
)
for _name in _COMPUTED:
    setattr(Reference, f"__{_name}__", _refuse_to_compute)
for _name, _compare in (("eq", _is_same), ("ne", _is_other)):
    setattr(Reference, f"__{_name}__", _compare)

_REFERENT: Final = "_Reference__referent"

#: Returns what a reference is to.
referent_of: Final[Callable[[Reference], Referent]] = attrgetter(_REFERENT)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """The user's function, looked at once."""

    fn: Callable[..., Any]
    kind: BodyKind
    #: Whether the first argument is the node.
    wants_node: bool
    #: What callers see: everything but the node.
    parameters: Parameters
    #: The parameters that a run fills in: from other tasks, or from what it is given.
    references: Mapping[str, Referent]

    def edges(self) -> Iterator[tuple[str, Declaration]]:
        """Yield the parameters that take what other tasks come to, each with the task."""
        for name, reference in self.references.items():
            if isinstance(reference.target, Declaration):
                yield name, reference.target


class Declared:
    """The base of handles of tasks: what `depends_on` takes."""

    _declared: Declaration


class Provided:
    """The base of handles of what a run is given."""

    _given: Given


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
    #: Its function, as declared; `current` is what runs.
    body: Body | None
    #: Whether it is only spawned, never placed in the static tree.
    is_template: bool
    #: The options that it, and children made from it, may have.
    option_names: frozenset[str]
    #: What `node_options` takes, checked, without dependencies.
    options: Mapping[str, Any]
    depends_on: tuple[Declaration | OptionalEdge, ...] = ()
    #: What is asked before it runs.
    condition: Body | None = None
    #: Where its body runs; None leaves that to what it is.
    backend: str | None = None
    #: By what its results are told that are kept from run to run; None where they are not.
    cache: Cache | None = None
    #: What the runs of a registry are given.
    given: list[Given] = field(default_factory=list[Given])
    #: The declarations right below it, by label.
    members: dict[str, Declaration] = field(default_factory=dict[str, "Declaration"])
    #: The options that all its spawned nodes share, once one was spawned.
    shared_options: NodeOptions | None = None
    #: What binds one argument to its body, once that is known to be all there is to making a node of a child.
    quick_bind: Callable[[Declaration, Body, tuple[Any, ...]], Callable[[TaskNode], object]] | None = None
    #: What runs in place of its body, while tests say so: the last one does.
    stand_ins: list[Body] = field(default_factory=list[Body])

    @property
    def current(self) -> Body | None:
        """The body that runs."""
        return self.stand_ins[-1] if self.stand_ins else self.body

    def taken(self, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the arguments that the body takes: one that stands in may leave out what a run fills in."""
        if not self.stand_ins:
            return kwargs
        return {name: value for name, value in kwargs.items() if self.stand_ins[-1].parameters.takes_keyword(name)}

    @property
    def parameters(self) -> Parameters:
        """What its body takes from callers."""
        return NO_PARAMETERS if self.body is None else self.body.parameters

    @property
    def references(self) -> Mapping[str, Referent]:
        """The parameters that a run fills in."""
        return {} if self.current is None else self.current.references

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


@contextmanager
def standing_in(body: Body, stand_ins: list[Body]) -> Generator[None, None, None]:
    """Let a body be among those that stand in for another, inside. Such contexts may be left in any order."""
    stand_ins.append(body)
    try:
        yield
    finally:
        stand_ins.remove(body)
