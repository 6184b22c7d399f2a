"""Parameters of a whole pipeline: the fields of dataclasses, filled when a tree is built.

`tree.params(Settings)` makes a handle whose `output` other declarations take as a default. Values come by the names of
the fields, as keywords of `run` or from the command line, and one instance is made for each tree.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, cast

from typing_extensions import TypeVar, is_protocol, is_typeddict

from treetask._errors import DefinitionError, did_you_mean
from treetask.dsl._declaration import Declaration, Given, Provided, Reference
from treetask.dsl._inspection import RESERVED, type_of
from treetask.dsl._place import Place
from treetask.model import HIDDEN, Secret, mentions_secret

T_co = TypeVar("T_co", covariant=True)


class Settings(Given):
    """A dataclass whose fields are parameters of all trees of a registry."""

    def __init__(self, cls: type[Any], registry: Declaration, place: Place) -> None:
        super().__init__(cls.__name__, registry, place)
        self.cls: Final = cls
        #: The fields that can be given, by name.
        self.fields: Final = {each.name: each for each in dataclasses.fields(cls) if each.init}

    def check_attribute(self, name: str) -> None:
        """Raise `AttributeError` for what an instance will not have."""
        if not (hasattr(self.cls, name) or name in {each.name for each in dataclasses.fields(self.cls)}):
            hint = did_you_mean(name, [each.name for each in dataclasses.fields(self.cls)])
            raise AttributeError(f"{self} has no field '{name}'{hint}")

    def type_of(self, name: str) -> object:
        """Return the type of a field; `Any` where its annotation cannot be resolved."""
        wanted: object = self.fields[name].type
        # Each by itself: one that cannot be resolved says nothing of the others.
        holder = type("Holder", (), {"__annotations__": {name: wanted}, "__module__": self.cls.__module__})
        try:
            return typing.get_type_hints(holder, localns=dict(vars(self.cls)), include_extras=True)[name]
        except Exception:  # noqa: BLE001 - an annotation may hold any expression
            # Whatever it says besides, what it calls a secret is not shown.
            return Secret if isinstance(wanted, str) and "Secret" in wanted else Any

    def is_required(self, name: str) -> bool:
        """Whether a field has no default."""
        field = self.fields[name]
        return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING

    def lacking(self, values: Mapping[str, object]) -> list[str]:
        """Return the names of those without a default that have no value."""
        return [name for name in self.fields if self.is_required(name) and name not in values]

    def make(self, values: Mapping[str, object], owner: str) -> object:
        """Return an instance.

        Raises `TypeError` for a value that is missing or of the wrong type, `DefinitionError` for what the class itself
        does not take.
        """
        missing = self.lacking(values)
        if missing:
            names = " and ".join(f"'{name}'" for name in missing)
            raise TypeError(f"{owner} needs {names} for {self}; give it: run({missing[0]}=...), or give it a default")
        kinds = {name: self.type_of(name) for name in self.fields}
        given = {name: _wrapped(values[name], kinds[name]) for name in self.fields if name in values}
        for name, value in given.items():
            if not _fits(value, kinds[name]):
                said = _said(value, kinds[name])
                raise TypeError(f"{owner}: {name} is {said}; expected {_shown(kinds[name])} for {self}")
        made = self._made(given, owner)
        for name, wanted in kinds.items():
            # Nobody but the class itself has said it.
            if mentions_secret(wanted) and name not in given and not _fits(getattr(made, name), wanted):
                fix = f"expected {_shown(wanted)}; write Secret(...)"
                raise DefinitionError(f"{self}: the default of '{name}' is {HIDDEN}, no Secret; {fix}")
        return made

    def _made(self, given: Mapping[str, object], owner: str) -> object:
        try:
            return self.cls(**given)
        except ValueError as error:
            # What the class says of its values, in its own words.
            raise DefinitionError(f"{error} ({self.label}, {self.place})") from error
        except (Exception, SystemExit) as error:
            said = ", ".join(f"{name}={_said(value, self.type_of(name))}" for name, value in given.items())
            why = f"{type(error).__name__}: {error}"
            raise DefinitionError(f"{owner}: {self.label}({said}) raised {why} ({self.place})") from error

    def __str__(self) -> str:
        return f"'{self.label}' ({self.place})"


class Params(Provided, Generic[T_co]):
    """The parameters of a pipeline: `settings = tree.params(Settings)`, then `env: str = settings.output.env`."""

    def __init__(self, settings: Settings) -> None:
        self._given = settings

    @property
    def output(self) -> T_co:
        """The instance of a run, or one of its fields, as the default value of a parameter."""
        return cast("T_co", Reference(self._given))

    def __repr__(self) -> str:
        return f"<Params {self._given}>"


def declare_params(registry: Declaration, cls: object, place: Place) -> Settings:
    """Return the parameters that a dataclass declares, entered in a registry.

    Raises `TypeError` for what is no dataclass, and `DefinitionError` for one that is not made from its fields and for
    a name that is taken.
    """
    owner = f"params({cls!r}) ({place})"
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
        fix = "a class without type arguments" if typing.get_origin(cls) else "@dataclass(frozen=True) above the class"
        raise TypeError(f"{owner}: expected a dataclass: {fix}")
    settings = Settings(cls, registry, place)
    for name, field in cls.__dataclass_fields__.items():
        if isinstance(field.type, dataclasses.InitVar) or "InitVar[" in str(field.type):
            raise DefinitionError(f"{settings}: '{name}' is an InitVar, which nobody can refer to; make it a field")
    if set(inspect.signature(cls).parameters) != set(settings.fields):
        raise DefinitionError(f"{settings} is not made from its fields; leave __init__ to the dataclass")
    for name, field in settings.fields.items():
        if isinstance(field.default, Reference):
            raise DefinitionError(
                f"{settings}: the default of '{name}' is {field.default!r}, which has a value only in a run; take it "
                "in a task"
            )
        if name.startswith("_"):
            raise DefinitionError(f"{settings}: '{name}' begins with '_', so nobody can refer to it; rename it")
        if name in RESERVED:
            raise DefinitionError(
                f"{settings}: the field '{name}' has the name of an option of run(); rename it, as in '{name}_'"
            )
        for other in settings_of(registry):
            if name in other.fields:
                raise DefinitionError(f"{settings}: {other} has a field '{name}' already; rename one of them")
    registry.given.append(settings)
    return settings


def settings_of(registry: Declaration) -> Iterator[Settings]:
    """Yield the parameters that were declared on a registry, in their order."""
    return (each for each in registry.given if isinstance(each, Settings))


def names_of(registry: Declaration) -> list[str]:
    """Return the names of all parameters of a registry, in their order."""
    return [name for each in settings_of(registry) for name in each.fields]


def make_given(top: Declaration, values: Mapping[str, object], owner: str) -> dict[Given, object]:
    """Return the instances for the tree of a declaration.

    Those that have not all they need are left out where nothing that will certainly run takes them. Raises `TypeError`
    for a name that there is not, and what `make` raises.
    """
    registry = top.registry()
    check_names(registry, values, owner)
    used = _used(top)
    return {
        each: each.make(values, owner)
        for each in settings_of(registry)
        if top is registry or each in used or not each.lacking(values)
    }


def check_names(registry: Declaration, values: Mapping[str, object], owner: str) -> None:
    """Raise `TypeError` for a name that no parameter of a registry has."""
    names = names_of(registry)
    for name in values:
        if name not in names:
            raise TypeError(f"{owner} has no parameter '{name}'{did_you_mean(name, names)}")


def _used(top: Declaration) -> set[Given]:
    """Return what the declarations take that have a node in the tree of `top`, and what that takes itself."""
    bodies = (body for declared, _ in top.placed() for body in (declared.current, declared.condition))
    taken = [reference.target for body in bodies if body is not None for reference in body.references.values()]
    used: set[Given] = set()
    while taken:
        one = taken.pop()
        if isinstance(one, Given) and one not in used:
            used.add(one)
            taken += [reference.target for reference in one.references.values()]
    return used


def split_values(declared: Declaration, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell the arguments of a task's own body from the parameters of its registry, by their names.

    A parameter of the body that takes the registry's one of the same name is that one. Raises `DefinitionError` for two
    that are not the same.
    """
    own: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    names = set(names_of(declared.registry()))
    for name, value in values.items():
        if name not in names or (name in declared.parameters.names and not _is_same(declared, name)):
            own[name] = value
        else:
            shared[name] = value
    for name in names.intersection(declared.parameters.names):
        if not _is_same(declared, name):
            settings = next(each for each in settings_of(declared.registry()) if name in each.fields)
            raise DefinitionError(f"{declared} has a parameter '{name}', and so has {settings}; rename one of them")
    return own, shared


def types_of(declared: Declaration) -> dict[str, object]:
    """Return what a run of a declaration may be given by name, each with its type; `Any` where that is not known."""
    types: dict[str, object] = {}
    if declared.body is not None:
        fn, annotations = declared.body.fn, declared.parameters.annotations
        types = {name: type_of(annotation, fn) for name, annotation in annotations.items()}
    return types | {name: each.type_of(name) for each in settings_of(declared.registry()) for name in each.fields}


def required_of(declared: Declaration) -> list[str]:
    """Return the names of those that have no default and are needed."""
    registry, used = declared.registry(), _used(declared)
    needed = (each for each in settings_of(registry) if declared is registry or each in used)
    return [*declared.parameters.required, *(name for each in needed for name in each.lacking({}))]


def defaults_of(declared: Declaration) -> dict[str, object]:
    """Return the defaults of those that have one that is known before a run."""
    known = {name: each for name, each in declared.parameters.defaults.items() if not isinstance(each, Reference)}
    fields = {name: each for settings in settings_of(declared.registry()) for name, each in settings.fields.items()}
    return known | {name: each.default for name, each in fields.items() if each.default is not dataclasses.MISSING}


def _is_same(declared: Declaration, name: str) -> bool:
    # As declared: what stands in for its body may leave it out, and is given the rest all the same.
    reference = None if declared.body is None else declared.body.references.get(name)
    return reference is not None and isinstance(reference.target, Settings) and reference.attributes == (name,)


def _said(value: object, wanted: object) -> str:
    return HIDDEN if mentions_secret(wanted) else repr(value)


def _wrapped(value: object, wanted: object) -> object:
    """Return a value as a `Secret` where one is wanted and it is none."""
    given = value  # to the type checkers, `value` changes
    if isinstance(value, Secret) or not mentions_secret(wanted):
        return given
    origin = typing.get_origin(wanted)
    if wanted is Secret or origin is Secret:
        return Secret(value)
    if origin is typing.Annotated:
        return _wrapped(value, typing.get_args(wanted)[0])
    if origin is typing.Union or origin is types.UnionType:
        kinds = typing.get_args(wanted)
        if any(_fits(value, each) for each in kinds if not mentions_secret(each)):
            return value
        return _wrapped(value, next(each for each in kinds if mentions_secret(each)))
    return value


def _shown(wanted: object) -> str:
    if isinstance(wanted, type) and typing.get_origin(wanted) is None:  # `list[str]` is a type on 3.10
        return wanted.__name__
    return str(wanted).replace(f"{Secret.__module__}.", "")


def _fits(value: object, wanted: object) -> bool:
    """Whether a value is certainly not of another type than an annotation says; what is not plain passes."""
    origin = typing.get_origin(wanted)
    if origin is typing.Annotated:
        return _fits(value, typing.get_args(wanted)[0])
    if origin is typing.Literal:
        return value in typing.get_args(wanted)
    if origin is typing.Union or origin is types.UnionType:
        return any(_fits(value, each) for each in typing.get_args(wanted))
    if wanted is None:
        return value is None
    if wanted is Any:  # a class, from Python 3.11
        return True
    kind = origin if isinstance(origin, type) else wanted
    if not isinstance(kind, type) or is_typeddict(kind) or is_protocol(kind):
        return True
    if isinstance(value, Secret) and origin is Secret:
        return _fits(cast("Secret[object]", value).reveal(), typing.get_args(wanted)[0])
    if kind in (int, float) and isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, (int, float))
    return isinstance(value, kind)
