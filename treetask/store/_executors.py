"""What tasks of the task manager are run by: the bodies of a registry, found by name, and one that is built in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from treetask._errors import DefinitionError, did_you_mean
from treetask.dsl import LateBody, Registry, late_bodies, refuse_company
from treetask.store._errors import StoreError
from treetask.store._system_info import system_info

#: The parameter that takes all inputs at once.
ALL_INPUTS: Final = "inputs"

_built_in: Final = Registry("built-in")


@_built_in.task
def system_info_executor(resource: str = "all") -> dict[str, Any]:
    """Return what the machine has of `cpu`, `memory` or `disk`, or `all` of it; sizes in bytes."""
    return system_info(resource)


class UnknownExecutorError(StoreError):
    """A task that nothing is below and whose name no executor has."""

    def __init__(self, task: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"{task}: {no_executor(name, known)}, and no task is below it")
        self.task = task
        self.name = name


class InputsError(StoreError, TypeError):
    """Inputs that do not fit the parameters of the executor."""

    def __init__(self, task: str, executor: str, problem: str) -> None:
        super().__init__(f"{task}: executor '{executor}' {problem}")
        self.task = task
        self.executor = executor
        self.problem = problem


class Executors:
    """The bodies that tasks may name: by their ids, or by their paths where several have one id."""

    def __init__(self, registry: Registry | None) -> None:
        if registry is not None and not isinstance(registry, Registry):
            raise TypeError(f"TaskManager: executors is {registry!r}; expected a Registry whose tasks take inputs")
        self.registry: Final = registry
        self._by_label: Final[dict[str, list[LateBody]]] = {}
        self._by_path: Final[dict[str, LateBody]] = {}
        for body in () if registry is None else late_bodies(registry):
            self._by_label.setdefault(body.label, []).append(body)
            self._by_path[body.path] = body
        for body in late_bodies(_built_in):
            self._by_label.setdefault(body.label, [body])

    def find(self, name: str, owner: str) -> LateBody | None:
        """Return the body of that name, or None. Raises `DefinitionError` if several have it, or if it needs others."""
        found = self._by_label.get(name, [])
        if len(found) > 1:
            paths = " and ".join(f"'{body.path}'" for body in found)
            raise DefinitionError(f"{owner}: there are several executors '{name}': {paths}; name it by its path")
        body = found[0] if found else self._by_path.get(name)
        if body is not None:
            refuse_company(body, owner)
        return body

    @property
    def names(self) -> list[str]:
        """The names that there are, those of the registry first."""
        return list(self._by_label)


def no_executor(name: str, known: Iterable[str]) -> str:
    """Return the part of a message that says so, with the closest names that there are."""
    return f"there is no executor '{name}'{did_you_mean(name, known)}"


def arguments_of(
    body: LateBody, owner: str, inputs: Mapping[str, object], results: Mapping[str, object]
) -> dict[str, object]:
    """Return the arguments of a body: inputs by their names, and those results for which it has a parameter.

    A parameter `inputs` takes all of them in one dict. Raises `InputsError` for an input that no parameter takes, and
    for a parameter without a default that nothing fills.
    """
    arguments = dict(inputs)
    if ALL_INPUTS in body.names and ALL_INPUTS not in inputs:
        arguments = {name: value for name, value in inputs.items() if body.takes(name)}
        arguments[ALL_INPUTS] = {**inputs, **results}
    arguments.update({name: value for name, value in results.items() if body.takes(name)})
    problem = body.problem(arguments)
    if problem is not None:
        raise InputsError(owner, body.label, problem)
    return arguments
