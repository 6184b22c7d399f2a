"""What a declaration can be refused with, besides a duplicate id and a bad option."""

from __future__ import annotations

from treetask._errors import DefinitionError
from treetask.dsl._place import Place


class BodyError(DefinitionError):
    """A function that cannot be what it was declared as; `body` is its name, `place` where it stands."""

    def __init__(self, body: str, place: Place, problem: str, fix: str, *, role: str = "task") -> None:
        super().__init__(f"'{body}' ({place}) cannot be a {role}: {problem}; {fix}")
        self.body = body
        self.place = place
        self.problem = problem
        self.fix = fix


class MisplacedDependencyError(DefinitionError):
    """A dependency on a declaration that has no node, or not one node, in the tree that was asked for."""

    def __init__(self, task_id: str, place: Place, dependency: str, parameter: str | None, why: str) -> None:
        needs = "depends on" if parameter is None else f"takes '{parameter}' from the output of"
        super().__init__(f"task '{task_id}' ({place}) {needs} '{dependency}', {why}")
        self.task_id = task_id
        self.place = place
        self.dependency = dependency
        self.parameter = parameter
