"""Resources: what the bodies of a run share, as a connection or a pool; opened when first used, closed at its end.

`@tree.resource` makes one of an async generator that yields it once. What is known here is how to make the generator of
a run; whoever runs the tree opens and closes it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Generic, cast

from typing_extensions import TypeVar

from treetask._errors import DefinitionError
from treetask.dsl._declaration import Body, Declaration, Given, Provided, Reference, Referent, standing_in
from treetask.dsl._errors import BodyError
from treetask.dsl._inspection import body_name, inspect_resource
from treetask.dsl._place import Place

T_co = TypeVar("T_co", covariant=True)


class Shared(Given):
    """An async generator whose value the bodies of a run share."""

    is_opened = True

    def __init__(self, body: Body, registry: Declaration, place: Place) -> None:
        super().__init__(body_name(body.fn), registry, place)
        #: Its function, as declared.
        self.body: Final = body
        #: What runs in place of it, while tests say so: the last one does.
        self.stand_ins: Final[list[Body]] = []

    @property
    def current(self) -> Body:
        """The function that opens it."""
        return self.stand_ins[-1] if self.stand_ins else self.body

    @property
    def references(self) -> Mapping[str, Referent]:
        """What its function takes."""
        return self.current.references

    @property
    def needs(self) -> tuple[Shared, ...]:
        """The resources that it takes itself."""
        targets = [reference.target for reference in self.references.values()]
        return tuple(dict.fromkeys(each for each in targets if isinstance(each, Shared)))

    def open(self, given: Mapping[Any, Any]) -> AsyncGenerator[Any, Any]:
        """Return what opens it up to its `yield`, and closes it after that."""
        body = self.current
        for name, each in body.references.items():
            if each.target not in given:
                why = "which its tree was not given: another function stood in for it then"
                raise TypeError(f"{self} takes '{name}' from the {each}, {why}; build the tree again")
        values = {name: each.read(given[each.target]) for name, each in body.references.items()}
        return cast("AsyncGenerator[Any, Any]", body.fn(**values))

    def __str__(self) -> str:
        return f"resource '{self.label}' ({self.place})"


class Resource(Provided, Generic[T_co]):
    """What the bodies of a run share: `@tree.resource` above an async generator that yields it once.

    Declarations take it as `conn: Connection = session.output`, or what it has as `session.output.cursor`.
    """

    def __init__(self, shared: Shared) -> None:
        self._given = shared
        self._shared: Final = shared
        self.__doc__ = shared.body.fn.__doc__
        self.__wrapped__ = shared.body.fn

    @property
    def label(self) -> str:
        """Its name, that of its function."""
        return self._shared.label

    @property
    def fn(self) -> Callable[..., AsyncIterator[T_co]]:
        """The function as it was written."""
        return cast("Callable[..., AsyncIterator[T_co]]", self._shared.body.fn)

    @property
    def output(self) -> T_co:
        """What it yields, or an attribute of that, as the default value of a parameter."""
        return cast("T_co", Reference(self._shared))

    def override(self, fn: Callable[..., AsyncIterator[T_co]], /) -> AbstractContextManager[None]:
        """Let `fn` be what opens and closes it for the time of a `with`, in runs that open it meanwhile.

        For tests: `with session.override(fake): tree.run_sync()`. What the original takes from a run is filled in where
        `fn` has a parameter of that name. It holds in the whole process. Raises `BodyError` for a function that cannot
        be a resource in its place.
        """
        shared, place = self._shared, Place.of(fn)
        body = _checked(shared.registry, inspect_resource(fn, place, shared.body.references), place)
        _refuse_circle(shared, body, place)
        return standing_in(body, shared.stand_ins)

    def __repr__(self) -> str:
        return f"<Resource '{self.label}' at {self._shared.place}>"


def declare_resource(registry: Declaration, fn: object) -> Shared:
    """Return the resource that an async generator is from now on, entered in a registry.

    Raises `BodyError` for a function that cannot be one, and `DefinitionError` for a name that another has.
    """
    place = Place.of(fn)
    shared = Shared(_checked(registry, inspect_resource(fn, place), place), registry, place)
    for each in registry.given:
        if isinstance(each, Shared) and each.label == shared.label:
            raise DefinitionError(
                f"registry '{registry.label}' has a resource '{each.label}' already ({each.place}), and again at "
                f"{place}; rename one of them"
            )
    registry.given.append(shared)
    return shared


def _checked(registry: Declaration, body: Body, place: Place) -> Body:
    """Return the body of a resource. Raises `BodyError` if it takes something of another registry."""
    for name, reference in body.references.items():
        target = reference.target
        if isinstance(target, Given) and target.registry is not registry:
            problem = f"it takes '{name}' from the {reference}, of another registry ({target.place})"
            raise BodyError(body_name(body.fn), place, problem, "declare both in one", role="resource")
    return body


def _refuse_circle(shared: Shared, body: Body, place: Place) -> None:
    """Raise `BodyError` for a stand-in that takes what, in the end, takes what it stands in for."""
    for name, reference in body.references.items():
        waiting, seen = [reference.target], set[object]()
        while waiting:
            target = waiting.pop()
            if target is shared:
                problem = f"it takes '{name}' from the {reference}, which needs '{shared.label}' itself"
                raise BodyError(body_name(body.fn), place, problem, "open what it needs in it", role="resource")
            if isinstance(target, Shared) and target not in seen:
                seen.add(target)
                waiting += target.needs


def resources_of(declared: Declaration) -> dict[str, Callable[..., object]]:
    """Return the functions of the resources that the registry of a declaration has, by name, in their order."""
    return {each.label: each.body.fn for each in declared.registry().given if isinstance(each, Shared)}
