"""What there is in a pipeline, as a flat list: the nodes of its tree, and what their bodies may spawn.

What is spawned is not known before a run. What it is made from is: each template is listed once, below the group that
it is declared in, whoever may spawn it. A tree that no declarations were compiled to has nodes alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from treetask.dsl import BoundBody, Declaration, options_below
from treetask.model import NodeOptions, TaskNode, TaskTree, kind_of

#: What stands for the arguments of a child that is not there yet.
ARGUMENTS: Final = "[…]"

#: What nodes have of which nothing was said, without declarations and with them.
_DEFAULTS: Final = NodeOptions()
_DECLARED_DEFAULTS: Final = NodeOptions(max_retries=0)
_NOT_STATED: Final = frozenset({"depends_on", "optional", "tags", "is_timed"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A node to be, or a template (`is_spawned`) with what is declared below it."""

    id: str
    name: str
    #: The place of the parent in the list; -1 for the root.
    parent: int
    #: The ids of what it waits for; those in `options.optional` need only have ended.
    depends_on: tuple[str, ...]
    options: NodeOptions
    is_group: bool
    has_body: bool
    #: Whether its body yields children.
    spawns: bool
    is_spawned: bool
    #: The first line of what its function says about itself.
    doc: str
    is_declared: bool

    def stated(self) -> dict[str, Any]:
        """Return the options that are not what they would be by themselves, but for dependencies and tags."""
        usual = _DECLARED_DEFAULTS if self.is_declared else _DEFAULTS
        values = {each.name: getattr(self.options, each.name) for each in fields(NodeOptions)}
        return {
            name: value for name, value in values.items() if name not in _NOT_STATED and value != getattr(usual, name)
        }


def outline(tree: TaskTree, top: Declaration | None, *, all_templates: bool) -> list[Entry]:
    """Return what there is in a tree that was compiled from `top`, parents first.

    Templates are in it where a body might spawn one, or with `all_templates` in any case.
    """
    if top is None:
        top = tree.made_from
    declared = {} if top is None else {each.path: each for each, _ in top.placed()}
    templates: dict[str, list[Declaration]] = {}
    if top is not None and (all_templates or any(_may_spawn(declared.get(node.id)) for node in tree.walk())):
        for template in _templates(top):
            assert template.parent is not None
            scopes = (each.path for each in template.parent.ancestors() if tree.find(each.path) is not None)
            templates.setdefault(next(scopes, tree.root.id), []).append(template)
    entries: list[Entry] = []
    #: What is still to be listed, each with the place of its parent and the id of the template that it belongs to.
    waiting: list[tuple[TaskNode | Declaration, int, str]] = [(tree.root, -1, "")]
    while waiting:
        one, parent, template_id = waiting.pop()
        here = len(entries)
        if isinstance(one, TaskNode):
            entries.append(_of_node(one, parent, declared.get(one.id)))
            waiting += [(template, here, "") for template in reversed(templates.get(one.id, ()))]
            waiting += [(child, here, "") for child in reversed(one.children)]
        else:
            entry = _of_template(one, parent, entries[parent], template_id)
            entries.append(entry)
            below = entry.id if one.is_template else template_id
            waiting += [(member, here, below) for member in reversed(one.members.values())]
    return entries


def _templates(top: Declaration) -> Iterator[Declaration]:
    """Yield the templates of a registry, in their order, without those that are declared below others."""
    waiting = [top.registry()]
    while waiting:
        declared = waiting.pop()
        if declared.is_template and not top.is_within(declared):
            yield declared
        else:
            waiting += reversed(declared.members.values())


def _may_spawn(declared: Declaration | None) -> bool:
    """Whether a body yields children, or gets its node, which has `spawn`."""
    body = None if declared is None else declared.body
    return body is not None and (body.kind.yields or body.wants_node)


def _of_node(node: TaskNode, parent: int, declared: Declaration | None) -> Entry:
    body = node.task_fn
    return Entry(
        id=node.id,
        name=node.name,
        parent=parent,
        depends_on=_those_in(node),
        options=node.options,
        is_group=bool(node.children) or (declared is not None and _is_group(declared)),
        has_body=body is not None,
        spawns=body is not None and kind_of(body).yields,
        is_spawned=False,
        doc=first_words(body.fn if isinstance(body, BoundBody) else body),
        is_declared=declared is not None,
    )


def _those_in(node: TaskNode) -> tuple[str, ...]:
    tree = node._tree
    return tuple(each for each in dict.fromkeys(node.options.depends_on) if tree is None or tree.find(each) is not None)


def _of_template(declared: Declaration, parent: int, above: Entry, template_id: str) -> Entry:
    path = f"{above.id}/{declared.label}" if above.is_spawned else declared.path
    arguments = ARGUMENTS if declared.is_template and str(declared.parameters) != "()" else ""
    options = options_below(declared, template_id or path)
    return Entry(
        id=path + arguments,
        name=(declared.name or declared.label) + arguments,
        parent=parent,
        depends_on=options.depends_on,
        options=options,
        is_group=_is_group(declared),
        has_body=declared.body is not None,
        spawns=declared.body is not None and declared.body.kind.yields,
        is_spawned=True,
        doc=first_words(None if declared.body is None else declared.body.fn),
        is_declared=True,
    )


def _is_group(declared: Declaration) -> bool:
    return "parallel" in declared.option_names


def first_words(function: object) -> str:
    """Return the first line of what a function says about itself."""
    said = inspect.getdoc(function) if inspect.isroutine(function) else None
    return (said or "").strip().partition("\n")[0].strip()
