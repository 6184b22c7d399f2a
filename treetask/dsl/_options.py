"""Reads what a declaration says beside its function: options by name, each checked where it was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from treetask._errors import did_you_mean
from treetask.dsl._declaration import Body, Cache, Declaration, Declared, OptionalEdge
from treetask.dsl._inspection import inspect_condition
from treetask.dsl._place import Place
from treetask.model import OPTION_NAMES, BodyKind, kind_of, node_options

#: What a declared node has where nothing is said. Retries are asked for, never had by default: a body with an effect
#: should not repeat it unasked.
_DEFAULTS: Final[Mapping[str, Any]] = {"parallel": True, "max_retries": 0}


#: What a declaration says in other words than its nodes.
_OF_DECLARATIONS: Final = frozenset({"depends_on", "when"})


_WITH_BODIES: Final = "what is declared with a body"
#: Who has the options that not all declarations have.
_OWNERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("parallel", "on_failure", "max_parallel"), "a group"),
    "max_queued": "a group with a body",
    "cache": "a declared task",
    **dict.fromkeys(("depends_on", "when", "allow_failure", "priority", "cost", "always"), "a task or group"),
}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options that were checked and told apart; None for what was not said."""

    name: str | None
    static: bool | None
    depends_on: tuple[Declaration | OptionalEdge, ...] | None
    when: Body | None
    backend: object
    cache: Cache | None
    #: The rest, as `node_options` takes it.
    of_node: dict[str, Any]


def read_options(owner: str, options: Mapping[str, Any], names: frozenset[str], place: Place) -> ReadOptions:
    """Return checked options; `names` are those that there are, `place` is where they were said.

    Raises `TypeError` for an option that does not exist, with the closest that does, and for a value of the wrong kind;
    `ValueError` for one out of range. Both name `owner`.
    """
    _refuse_unknown(owner, options, names)
    name = options.get("name")
    if name is not None and (not isinstance(name, str) or not name):
        raise TypeError(f"{owner}: name is {name!r}; expected a string that is not empty")
    static = options.get("static")
    if static is not None and not isinstance(static, bool):
        raise TypeError(f"{owner}: static is {static!r}; expected True or False")
    depends_on = None if options.get("depends_on") is None else _dependencies(owner, options["depends_on"])
    when = None if options.get("when") is None else inspect_condition(owner, options["when"], place)
    # Read once and used for every node: an iterator would be empty the second time.
    of_node = {
        key: tuple(cast("Iterator[object]", value)) if isinstance(value, Iterator) else value
        for key, value in options.items()
        if key in OPTION_NAMES - _OF_DECLARATIONS
    }
    node_options(owner, **of_node)
    cache = None if options.get("cache") is None else _checked_cache(owner, options["cache"])
    return ReadOptions(name, static, depends_on, when, options.get("backend"), cache, of_node)


def with_defaults(of_node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a declaration's nodes, with what declared nodes have where nothing was said."""
    return {**_DEFAULTS, **of_node}


def check_label(label: object, what: str) -> str:
    """Return an id that may stand in a path. Raises `TypeError` or `ValueError` naming what it is the id of."""
    if not isinstance(label, str):
        raise TypeError(f"{what}: the id is {label!r}; expected a string")
    if not label or "/" in label:
        raise ValueError(f"{what}: the id is {label!r}; expected one that is not empty and has no '/', which paths use")
    return label


def _refuse_unknown(owner: str, options: Mapping[str, Any], names: frozenset[str]) -> None:
    for name in options:
        if name in names:
            continue
        if name == "cache" and "parallel" in names:
            why = "it would stand for what its children do"
            raise TypeError(f"{owner} has no option 'cache': a result is kept of one body, and {why}; give it to tasks")
        if name in OPTION_NAMES or name in ("backend", "cache"):
            raise TypeError(f"{owner} has no option '{name}'; it is one of {_OWNERS.get(name, _WITH_BODIES)}")
        raise TypeError(f"{owner} has no option '{name}'{did_you_mean(name, sorted(names))}")


def _checked_cache(owner: str, cache: object) -> Cache:
    expected = "expected 'inputs', or a function of the task's arguments that returns what tells its results"
    if cache == "inputs":
        return "inputs"
    if not callable(cache) or isinstance(cache, Declared) or kind_of(cache) is not BodyKind.THREAD:
        raise TypeError(f"{owner}: cache is {cache!r}; {expected}")
    return cast("Cache", cache)


def _dependencies(owner: str, handles: object) -> tuple[Declaration | OptionalEdge, ...]:
    fix = "expected a list of handles, as in depends_on=[crawl]"
    if isinstance(handles, (str, Declared, OptionalEdge)) or not isinstance(handles, Iterable):
        raise TypeError(f"{owner}: depends_on is {handles!r}; {fix}")
    found: list[Declaration | OptionalEdge] = []
    for handle in cast("Iterable[object]", handles):
        if not isinstance(handle, (Declared, OptionalEdge)):
            raise TypeError(f"{owner}: depends_on has {handle!r} in it; {fix}")
        found.append(handle if isinstance(handle, OptionalEdge) else handle._declared)
    return tuple(found)
