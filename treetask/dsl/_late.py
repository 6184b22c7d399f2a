"""Declared bodies found by name and called with arguments that are known only when they begin.

For who keeps tasks elsewhere, as names and values. Such a body stands alone: what other tasks would give it, it has to
be given by name; what a whole run is given, parameters and resources, it takes as always.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from treetask._errors import DefinitionError
from treetask.dsl._bound import NO_INPUTS, Inputs, bind
from treetask.dsl._dataflow import inputs_of
from treetask.dsl._declaration import Body, Declaration
from treetask.dsl._decorators import Scope
from treetask.dsl._params import check_names, settings_of
from treetask.model import BodyKind, Openable, TaskNode, TaskTree, kind_of


class LateBody:
    """A declared body that is called with arguments by name."""

    __slots__ = ("_body", "_declared", "kind")

    def __init__(self, declared: Declaration, body: Body) -> None:
        self._declared = declared
        self._body = body
        #: How it has to be driven.
        self.kind: BodyKind = kind_of(bind(declared, (), {}) or body.fn)

    @property
    def label(self) -> str:
        """Its id among its siblings."""
        return self._declared.label

    @property
    def path(self) -> str:
        """Its id in its registry."""
        return self._declared.path

    @property
    def options(self) -> Mapping[str, Any]:
        """What its nodes have, as `TaskNode` takes it."""
        return self._declared.options

    @property
    def names(self) -> list[str]:
        """The names of its parameters that may be given by name."""
        return self._body.parameters.keywords

    def takes(self, name: str) -> bool:
        """Whether an argument may have this name."""
        return self._body.parameters.takes_keyword(name)

    def problem(self, arguments: Mapping[str, object]) -> str | None:
        """Return what is wrong about arguments, for a sentence that begins with who it is; None if nothing is."""
        problem = self._body.parameters.problem((), arguments)
        if problem is not None:
            return problem
        for name, target in self._body.edges():
            if name not in arguments:
                return f"takes '{name}' from '{target.path}' where it is declared; here nothing else fills it in"
        return None

    def resources(self, given: frozenset[str]) -> tuple[Openable, ...]:
        """Return what has to be open before it is called with arguments of these names."""
        return inputs_of(self._body, given, self._declared, self._declared.path).resources

    def call(self, node: TaskNode, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401 - what the function gives
        """Call it, with arguments that have no problem; what comes back depends on its kind."""
        found = inputs_of(self._body, arguments, self._declared, node.id)
        bound = bind(self._declared, (), arguments, Inputs(given=found.given) if found.given else NO_INPUTS)
        assert bound is not None
        return bound(node)


def late_bodies(registry: Scope) -> Iterator[LateBody]:
    """Yield every body that is declared below a registry or group, in their order."""
    waiting = [*registry._declared.members.values()]
    while waiting:
        declared = waiting.pop(0)
        waiting[:0] = declared.members.values()
        if declared.current is not None:
            yield LateBody(declared, declared.current)


def refuse_company(body: LateBody, owner: str) -> None:
    """Raise `DefinitionError` for a body whose declaration says how it stands to others, who are not there."""
    declared = body._declared
    static = [each.label for each in declared.members.values() if not each.is_template]
    why = None
    if declared.depends_on:
        why = "says depends_on="
    elif declared.condition is not None:
        why = "says when="
    elif declared.options.get("always"):
        why = "says always=True"
    elif static:
        why = f"is a group with '{static[0]}' in it"
    if why is not None:
        raise DefinitionError(f"{owner}: '{body.path}' ({declared.place}) {why}, and runs only as declared")


def give(registry: Scope, tree: TaskTree, values: Mapping[str, object], owner: str) -> None:
    """Give a tree what the bodies of a registry take of a run: parameters with these values, else with their defaults.

    Those that lack a value are left out, which fails who takes them. Raises `TypeError` for a name that there is not.
    """
    declared = registry._declared
    check_names(declared, values, owner)
    tree.given.update({each: each.make(values, owner) for each in settings_of(declared) if not each.lacking(values)})
