"""Makes a declaration of a function and its options, checks it against the others and enters it in its group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treetask._errors import DefinitionError, DuplicateNodeError, did_you_mean
from treetask.dsl._backend import check_backend
from treetask.dsl._cached import key_parameters
from treetask.dsl._dataflow import check_edges
from treetask.dsl._declaration import Body, Declaration
from treetask.dsl._inspection import body_name
from treetask.dsl._options import check_label, read_options, with_defaults
from treetask.dsl._place import Place


def declare(
    group: Declaration,
    body: Body | None,
    place: Place,
    *,
    options: Mapping[str, Any],
    names: frozenset[str],
    label: str | None = None,
) -> Declaration:
    """Return a declaration that stands below a group from now on; without a label it has its function's name.

    Raises `DuplicateNodeError` for a label that a sibling has, `MisplacedDependencyError` for a dependency that no tree
    could meet, `DefinitionError` for `static=True` with a parameter that nothing binds, and what options are refused
    with.
    """
    label = _label(label, body, place, options)
    path = f"{group.path}/{label}"
    owner = f"task '{path}' ({place})"
    said = read_options(owner, options, names, place)
    required = [] if body is None else body.parameters.required
    if said.static and required:
        missing = " and ".join(f"'{name}'" for name in required)
        fix = "give a default, or remove static=True and spawn it"
        raise DefinitionError(f"{owner} is declared with static=True, but nothing binds {missing}; {fix}")
    declared = Declaration(
        label=label,
        path=path,
        parent=group,
        place=place,
        name=said.name,
        body=body,
        is_template=bool(required) if said.static is None else not said.static,
        option_names=names,
        options=with_defaults(said.of_node),
        depends_on=said.depends_on or (),
        condition=said.when,
        backend=check_backend(owner, said.backend, body),
        cache=said.cache,
    )
    check_edges(declared)
    _check_always(declared, owner)
    _check_limits(declared, owner)
    _check_cache(declared, owner)
    twin = group.members.get(label)
    if twin is not None:
        raise DuplicateNodeError(path, f"at {twin.place}", f"at {place}")
    group.members[label] = declared
    group.quick_bind = None
    return declared


def _check_always(declared: Declaration, owner: str) -> None:
    """Refuse what needs something, though it is to run whatever happened before."""
    if not declared.options.get("always"):
        return
    why = f"{owner}: always=True runs whatever happened before, so it cannot"
    for dependency in declared.depends_on:
        if isinstance(dependency, Declaration):
            raise DefinitionError(f"{why} need '{dependency.path}'; write depends_on=[{dependency.label}.optional]")


def _check_limits(declared: Declaration, owner: str) -> None:
    """Refuse limits where no body would hold them while it works."""
    limits = declared.options.get("limits")
    if limits and declared.body is not None and declared.body.kind.yields:
        names = ", ".join(f"'{limit.name}'" for limit in limits)
        raise DefinitionError(f"{owner} yields children, so it cannot be limited by {names}; limit its children")


def _check_cache(declared: Declaration, owner: str) -> None:
    """Refuse a cache of what yields, and a key that is made of arguments which the task has not."""
    if declared.cache is None or declared.body is None:
        return
    if declared.body.kind.yields:
        why = "a result is kept of one body, and it would stand for what its children do"
        raise DefinitionError(f"{owner} yields children, so it cannot have cache=: {why}; give it to them")
    if declared.cache == "inputs":
        return
    name, taken = body_name(declared.cache), key_parameters(declared.cache)
    if taken is None:
        raise DefinitionError(f"{owner}: cache={name} does not tell what it takes; write a `def` that calls it")
    for parameter in taken.required:
        if parameter not in taken.keywords:
            raise DefinitionError(f"{owner}: cache={name} takes '{parameter}' by position only; remove the '/'")
        if parameter not in declared.parameters.names:
            known = did_you_mean(parameter, declared.parameters.names)
            raise DefinitionError(f"{owner}: cache={name} needs '{parameter}', which the task does not take{known}")


def declare_root(label: str, place: Place, options: Mapping[str, Any], names: frozenset[str]) -> Declaration:
    """Return the declaration of a registry. Raises what its label and options are refused with."""
    owner = f"registry '{label}' ({place})"
    check_label(label, f"registry ({place})")
    said = read_options(owner, options, names, place)
    return Declaration(
        label=label,
        path=label,
        parent=None,
        place=place,
        name=said.name,
        body=None,
        is_template=False,
        option_names=names,
        options=with_defaults(said.of_node),
    )


def _label(label: str | None, body: Body | None, place: Place, options: Mapping[str, Any]) -> str:
    if label is None:
        label = options.get("id")
    if label is None:
        assert body is not None
        label = getattr(body.fn, "__name__", None)
        if label is None:
            raise TypeError(f"{body.fn!r} ({place}) has no name of its own; give it one: task(id='...')")
    return check_label(label, f"task '{label}' ({place})")
