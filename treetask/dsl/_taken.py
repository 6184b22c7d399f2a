"""Who takes whose results: what has to be there again when a run goes on where an earlier one has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treetask.dsl._bound import BoundArguments, BoundBody, BoundCondition
from treetask.dsl._dataflow import node_id_of
from treetask.dsl._declaration import Declaration, Given, Referent
from treetask.model import TaskNode, TaskTree


def results_taken(node: TaskNode) -> set[str]:
    """Return the ids of the nodes whose results the body of a node may take, or its condition.

    Of a plain function, which can look for them in the tree, these are all that it depends on.
    """
    asked = [each for each in (node.task_fn, node.options.when) if each is not None]
    bound = [each for each in asked if isinstance(each, (BoundBody, BoundCondition))]
    if len(bound) < len(asked):
        return set(node.options.depends_on)
    return {taken.source for each in bound for taken in each.inputs}


def results_taken_by_templates(tree: TaskTree) -> set[str]:
    """Return the ids of the static nodes whose results children may take that are spawned into a tree."""
    top: Declaration | None = tree.made_from
    if top is None:
        return set()
    taken: set[str] = set()
    waiting = [top.registry()]
    while waiting:
        declared = waiting.pop()
        waiting += declared.members.values()
        if declared.template() is None:
            continue
        for body in (declared.current, declared.condition):
            if body is not None:
                taken |= {node_id_of(target, top, top.path) for _, target in body.edges() if target.template() is None}
    return taken


def arguments_of_body(node: TaskNode) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return what the body of a node was called with by whoever asked for it: all but what a run fills in."""
    body = node.task_fn
    if not isinstance(body, BoundBody):
        return (), {}
    return body.args, body.kwargs if isinstance(body, BoundArguments) else {}


def parameters_taken(node: TaskNode) -> tuple[tuple[str, Referent], ...]:
    """Return what the body of a node, and its condition, take of the parameters of the run, by their own names."""
    taken: tuple[tuple[str, Referent], ...] = ()
    for each in (node.task_fn, node.options.when):
        if isinstance(each, BoundArguments):
            taken += each.run_inputs.given
        elif isinstance(each, BoundCondition):
            taken += each.given
    if not taken:
        return ()
    return tuple((name, to) for name, to in taken if isinstance(to.target, Given) and not to.target.is_opened)
