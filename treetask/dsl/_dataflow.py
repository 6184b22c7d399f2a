"""Who needs whom: the edges that references and `depends_on` make, and the nodes that they mean in one tree.

A declaration has one node in a static tree, and one for each spawned template that it belongs to. An edge is therefore
refused, when it is declared, where it does not say which node it means.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from treetask._errors import DefinitionError
from treetask.dsl._bound import NO_INPUTS, Input, Inputs
from treetask.dsl._declaration import Body, Declaration, Given, OptionalEdge, Referent
from treetask.dsl._errors import MisplacedDependencyError
from treetask.dsl._place import Place
from treetask.model import Dependency, optional


def edges(declared: Declaration, given: Container[str] = ()) -> Iterator[tuple[str | None, Declaration]]:
    """Yield what a declaration waits for, each with the parameter that takes it; None where only the order counts.

    `given` are the parameters that arguments fill, which wait for nothing then.
    """
    for body, filled in ((declared.current, given), (declared.condition, ())):
        for name, target in () if body is None else body.edges():
            if name not in filled:
                yield name, target
    for dependency in declared.depends_on:
        yield None, target_of(dependency)


def target_of(dependency: Declaration | OptionalEdge) -> Declaration:
    """Return the declaration that an entry of `depends_on` means."""
    return dependency.target if isinstance(dependency, OptionalEdge) else dependency


def check_edges(declared: Declaration) -> None:
    """Raise `MisplacedDependencyError` for an edge that can mean no node, or more than one, in any tree."""
    for body in (declared.body, declared.condition):
        if body is not None:
            check_body(declared, body)
    for dependency in declared.depends_on:
        check_edge(declared, target_of(dependency))


def check_body(declared: Declaration, body: Body) -> None:
    """Raise `DefinitionError` for what a body, or a condition, can take in no tree of a declaration."""
    for name, reference in body.references.items():
        target = reference.target
        if isinstance(target, Given):
            if target.registry is not declared.registry():
                why = _foreign(target.place)
                raise MisplacedDependencyError(declared.path, declared.place, target.label, name, why)
            continue
        check_edge(declared, target, name)
        if declared.options.get("always") and not reference.is_relaxed:
            raise DefinitionError(
                f"{declared}: always=True runs whatever happened before, so it cannot take '{name}' from the output of "
                f"'{target.path}'; write {target.label}.maybe, which may be None, or {target.label}.outcome"
            )


def check_edge(declared: Declaration, target: Declaration, parameter: str | None = None) -> None:
    """Raise `MisplacedDependencyError` if one edge can mean no node, or more than one, in any tree."""
    why = _why_misplaced(declared, target)
    if why is not None:
        raise MisplacedDependencyError(declared.path, declared.place, target.path, parameter, why)


def _why_misplaced(declared: Declaration, target: Declaration) -> str | None:
    if target.registry() is not declared.registry():
        return _foreign(target.place)
    template = target.template()
    if template is None:
        return None
    if declared is not target and declared.is_within(target):
        return "which is around it and ends after it; take what it needs itself, or remove this dependency"
    if template is not target:
        if template is declared.template():
            return None
        return (
            f"which has a node for each '{template.path}' that is spawned; "
            "hand the value over as an argument of child()"
        )
    names = " and ".join(f"'{name}'" for name in target.parameters.required)
    why, fix = (f"it needs {names}", f"give {names} a default") if names else ("static=False", "remove static=False")
    return f"which is a template, spawned and not placed in the tree ({why}); {fix}, or hand its result over in a body"


def _foreign(place: Place) -> str:
    return f"which is declared in another registry ({place}); declare both in one"


def check_reach(declared: Declaration, top: Declaration, given: Container[str] = ()) -> None:
    """Raise `MisplacedDependencyError` for an edge that leaves the tree whose root is `top`."""
    for parameter, target in edges(declared, given):
        if not target.is_within(top):
            common = next(each for each in top.ancestors() if target.is_within(each))
            fix = f"run '{common.path}', which has both"
            if parameter is not None and declared is top:
                fix += f", or give the value: {top.label}.run({parameter}=...)"
            why = f"which is not part of '{top.path}'; {fix}"
            raise MisplacedDependencyError(declared.path, declared.place, target.path, parameter, why)


def dependency_ids(
    dependencies: Iterable[Declaration | OptionalEdge],
    inputs: Iterable[Input],
    top: Declaration,
    top_id: str,
) -> tuple[Dependency, ...]:
    """Return the ids of what a node waits for, each once, as `node_options` takes them."""
    ids: list[Dependency] = [optional(each.source) if each.reference.is_relaxed else each.source for each in inputs]
    for each in dependencies:
        node_id = node_id_of(target_of(each), top, top_id)
        ids.append(optional(node_id) if isinstance(each, OptionalEdge) else node_id)
    return tuple(dict.fromkeys(ids))


def node_id_of(target: Declaration, top: Declaration, top_id: str) -> str:
    """Return the id of a declaration's node, as seen from the nodes of `top`, whose own node has the id `top_id`."""
    return top_id + target.path[len(top.path) :] if target.is_within(top) else target.path


def inputs_of(body: Body | None, filled: Container[str], top: Declaration, top_id: str) -> Inputs:
    """Return the parameters that a run fills in, those left out that arguments have `filled`."""
    if body is None or not body.references:
        return NO_INPUTS
    nodes: list[Input] = []
    given: list[tuple[str, Referent]] = []
    for name, reference in body.references.items():
        if name in filled:
            continue
        if isinstance(reference.target, Given):
            given.append((name, reference))
        else:
            nodes.append(Input(name, node_id_of(reference.target, top, top_id), reference))
    return Inputs(tuple(nodes), tuple(given)) if nodes or given else NO_INPUTS
