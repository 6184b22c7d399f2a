"""Declarations -> nodes: a static tree through `TreeBuilder`, or the subtree of one spawned child.

All that can be known of a tree before it runs is checked here or by the builder. Nothing recurses: groups may be nested
as deep as anybody likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from treetask.builder import TreeBuilder
from treetask.dsl._bound import NO_INPUTS, BoundBody, BoundCondition, Inputs, bind, quick_bind
from treetask.dsl._dataflow import check_body, check_edge, check_reach, dependency_ids, inputs_of, target_of
from treetask.dsl._declaration import Body, Declaration, Given, OptionalEdge
from treetask.dsl._options import ReadOptions, read_options
from treetask.model import Child, NodeOptions, TaskNode, TaskTree, TreeTaskConfig, node_of, node_options

_Arguments: TypeAlias = tuple[tuple[Any, ...], Mapping[str, Any]]
_NO_ARGUMENTS: Final[_Arguments] = ((), {})


def build_tree(
    top: Declaration,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    config: TreeTaskConfig | None,
    given: Mapping[Given, object],
) -> TaskTree:
    """Return the static tree with `top` as its root, whose body takes the arguments, with what its run is `given`.

    Raises `DefinitionError` for dependencies that leave the tree or close a cycle.
    """
    check_reach(top, top, top.parameters.given(args, kwargs))
    body, options = _parts(top, top, top.path, (args, kwargs))
    builder = TreeBuilder(top.path, _shown(top), config=config, task_fn=body, **options)
    here = 0
    for declared, depth in top.placed():
        if declared is top:
            continue
        check_reach(declared, top)
        body, options = _parts(declared, top, top.path)
        for _ in range(here - depth + 1):
            builder.up()
        builder.add_node(declared.path, _shown(declared), task=body, **options)
        here = depth
    tree = builder.build()
    tree.given.update(given)
    tree.made_from = top
    return tree


def make_node(top: Declaration, child: Child[Any], node_id: str) -> TaskNode:
    """Return a child's node, with the nodes of what is declared below it; in no tree yet."""
    args, kwargs = child.args, child.kwargs
    bind_one = top.quick_bind
    if bind_one is not None and len(args) == 1 and not (kwargs or child.options or top.stand_ins):
        # What the rest comes to for most: siblings that differ in one argument.
        assert top.body is not None
        assert top.shared_options is not None
        return node_of(node_id, child._key or child.key, bind_one(top, top.body, args), top.shared_options)
    references = top.references
    name = child.key if top.name is None else top.name + child.key[len(top.label) :]
    filled = top.parameters.given(args, kwargs) if references else ()
    inputs = inputs_of(top.current, filled, top, node_id) if references else NO_INPUTS
    if not child.options and references.keys().isdisjoint(filled):
        node = TaskNode(node_id, name, task_fn=bind(top, args, kwargs, inputs))
        node.options = _shared_options(top, inputs)
        if top.name is None and not (top.members or top.stand_ins):
            top.quick_bind = quick_bind(top)
    else:
        said = _child_options(top, child)
        body, options = _parts(top, top, node_id, (args, kwargs), said)
        node = TaskNode(node_id, said.name or name, task_fn=body, **{**options, **said.of_node})
    if top.members:
        _add_members(node, top)
    return node


def _add_members(node: TaskNode, top: Declaration) -> None:
    branch = [node]
    for declared, depth in top.placed():
        if declared is top:
            continue
        body, options = _parts(declared, top, node.id)
        member_id = node.id + declared.path[len(top.path) :]
        del branch[depth:]
        branch.append(branch[-1].add_child(TaskNode(member_id, _shown(declared), task_fn=body, **options)))


def _parts(
    declared: Declaration,
    top: Declaration,
    top_id: str,
    arguments: _Arguments = _NO_ARGUMENTS,
    said: ReadOptions | None = None,
) -> tuple[Callable[[TaskNode], object] | None, dict[str, Any]]:
    """Return the body and the options of a declaration's node below the node of `top`, or of that one itself.

    What one child has `said` goes before what the declaration does.
    """
    args, kwargs = arguments
    inputs = inputs_of(declared.current, declared.parameters.given(args, kwargs), top, top_id)
    wanted = declared.depends_on if said is None or said.depends_on is None else said.depends_on
    condition = declared.condition if said is None or said.when is None else said.when
    return bind(declared, args, kwargs, inputs), {
        **declared.options,
        **_waits(wanted, inputs, condition, top, top_id),
    }


def _waits(
    wanted: Iterable[Declaration | OptionalEdge], inputs: Inputs, condition: Body | None, top: Declaration, top_id: str
) -> dict[str, Any]:
    """Return the options that say what a node waits for: its dependencies, and its condition with those of that."""
    if condition is None:
        return {"depends_on": dependency_ids(wanted, inputs.nodes, top, top_id)}
    asked = inputs_of(condition, (), top, top_id)
    ids = dependency_ids(wanted, (*inputs.nodes, *asked.nodes), top, top_id)
    return {"depends_on": ids, "when": BoundCondition(condition, asked)}


def options_below(declared: Declaration, template_id: str) -> NodeOptions:
    """Return the options of a node to be, where the node of the template that it belongs to would have that id."""
    template = declared.template()
    assert template is not None
    return node_options(str(declared), **_parts(declared, template, template_id)[1])


def _shared_options(declared: Declaration, inputs: Inputs) -> NodeOptions:
    """Return the options of spawned nodes that say nothing of their own: one object, checked once.

    What a spawned node itself needs is never part of it, so the ids are the same for all.
    """
    if declared.shared_options is None:
        waits = _waits(declared.depends_on, inputs, declared.condition, declared, declared.path)
        declared.shared_options = node_options(str(declared), **declared.options, **waits)
    return declared.shared_options


def _child_options(declared: Declaration, child: Child[Any]) -> ReadOptions:
    owner = f"child '{child.key}'"
    if "id" in child.options:
        raise TypeError(f"{owner}: with_options() takes no id; name the child with .keyed('...')")
    names = declared.option_names - {"backend", "cache", "id", "static"}
    said = read_options(owner, child.options, names, declared.place)
    for dependency in said.depends_on or ():
        check_edge(declared, target_of(dependency))
    if said.when is not None:
        check_body(declared, said.when)
    return said


def _shown(declared: Declaration) -> str:
    return declared.name or declared.label


def nodes_of(declared: Declaration, tree: TaskTree) -> list[TaskNode]:
    """Return the nodes of a tree that were made from a declaration, in the order of the tree.

    A bound body knows its declaration, and so does a child. All others are known by their place below another.
    """
    top: Declaration | None = tree.made_from
    groups: dict[TaskNode, Declaration] = {}
    found: list[TaskNode] = []
    for node in tree.walk():
        made_from = _declaration_of(node)
        if made_from is None:
            made_from = top if node.parent is None else _member_at(node, node.parent, groups)
        if made_from is declared:
            found.append(node)
        if made_from is not None and made_from.members:
            groups[node] = made_from
    return found


def declaration_of(node: TaskNode) -> Declaration | None:
    """Return what a node was made from; None for one that was built directly."""
    below: list[TaskNode] = []
    here: TaskNode | None = node
    declared: Declaration | None = None
    while here is not None:
        declared = _declaration_of(here)
        if declared is None and here.parent is None and here._tree is not None:
            declared = here._tree.made_from
        if declared is not None:
            break
        below.append(here)
        here = here.parent
    for each in reversed(below):
        declared = _member_at(each, each.parent, {each.parent: declared}) if declared and each.parent else None
    return declared


def _declaration_of(node: TaskNode) -> Declaration | None:
    body = node.task_fn
    if isinstance(body, BoundBody):
        return body.declaration
    declared: Declaration | None = getattr(getattr(node._child, "template", None), "_declared", None)
    return declared


def _member_at(node: TaskNode, parent: TaskNode, groups: Mapping[TaskNode, Declaration]) -> Declaration | None:
    group = groups.get(parent)
    return None if group is None else group.members.get(node.id.removeprefix(f"{parent.id}/"))
