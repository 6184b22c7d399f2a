"""Finds the pipeline of a target in its module and builds the tree of it.

Knows what can be run and what to say of all else; not how modules are found, nor how trees are run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Final, TypeAlias, TypeGuard

from treetask._errors import NothingSelectedError, TreeTaskError
from treetask.builder import TreeBuilder
from treetask.cli._load import load_module, title, trouble
from treetask.cli._problem import CommandProblem, ExitCode, listed, suggestion
from treetask.cli._target import Target
from treetask.dsl import Group, Registry, Scope, Task
from treetask.model import Endings, TaskTree

Pipeline: TypeAlias = Registry | Task[..., Any] | TaskTree | TreeBuilder

EXPECTED: Final = (
    "expected a Registry, a group or task, a TaskTree, a TreeBuilder, or a function without arguments that returns one"
)
_MISSING: Final = object()
#: A value longer than this says nothing that its beginning does not say.
_VALUE_LENGTH: Final = 60


def load_pipeline(target: Target) -> Pipeline:
    """Return what a target means. Raises `CommandProblem` for each way in which it means nothing."""
    module = load_module(target)
    pipeline = _find(module, target)
    return pipeline if _is_pipeline(pipeline) else _returned(pipeline, module, target)


def build_tree(pipeline: Pipeline, values: Mapping[str, Any]) -> TaskTree:
    """Return the tree of a pipeline, ready to run. Raises `CommandProblem` if it cannot be built with these values."""
    if isinstance(pipeline, TaskTree):
        return pipeline
    try:
        return pipeline.build(**values)
    except (TreeTaskError, TypeError, ValueError) as error:
        # The message names the thing and the fix, and there is no frame of the user's to show.
        raise CommandProblem(str(error)) from error


def select(tree: TaskTree, only: Sequence[str], skip: Sequence[str], endings: Endings | None = None) -> None:
    """Leave in a tree what is selected. Raises `CommandProblem` where that is nothing, or cannot run."""
    if not only and not skip:
        return
    try:
        tree.select(only, skip, endings=endings)
    except NothingSelectedError as error:
        raise CommandProblem(str(error), exit_code=ExitCode.NOTHING_SELECTED) from error
    except (TreeTaskError, ValueError) as error:
        raise CommandProblem(str(error)) from error


def _find(module: ModuleType, target: Target) -> object:
    first, *rest = target.attribute.split(".")
    value = _attribute(module, first, target)
    if value is _MISSING:
        known = [name for name, _ in pipelines_in(module)]
        public = [name for name in vars(module) if not name.startswith("_")]
        hint = suggestion(first, known) or suggestion(first, public)
        raise CommandProblem(f"{title(target)} has no attribute '{first}'{hint}", _choice(module, target))
    passed = first
    for name in rest:
        found = _member(value, name, target)
        if found is _MISSING:
            hint = suggestion(name, _members(value))
            raise CommandProblem(f"{kind(value)} '{passed}' has no '{name}'{hint}", _choice(module, target))
        value, passed = found, f"{passed}.{name}"
    return value


def _member(value: object, name: str, target: Target) -> object:
    """Return what a dotted name means: below a declaration another one, else an attribute."""
    if isinstance(value, (Registry, Task)):
        return value.handles.get(name, _MISSING) if isinstance(value, Scope) else _MISSING
    return _attribute(value, name, target)


def _attribute(owner: object, name: str, target: Target) -> object:
    try:
        return getattr(owner, name, _MISSING)
    except BaseException as error:
        # A property, or a module's own `__getattr__`.
        raise trouble(error, target, f"'{name}' of {target}") from error


def _members(value: object) -> list[str]:
    if isinstance(value, (Registry, Task)):
        return list(value.handles) if isinstance(value, Scope) else []
    return [name for name in dir(value) if not name.startswith("_")]


def _returned(value: object, module: ModuleType, target: Target) -> Pipeline:
    """Return what the function of a target makes, or refuse what is no such function."""
    if inspect.isclass(value) or not callable(value):
        raise CommandProblem(f"{target} is {_described(value)}; {EXPECTED}", _choice(module, target))
    if inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value):
        raise CommandProblem(
            f"{target} is a plain async function; decorate it with @tree.task to make it part of a pipeline, "
            "or leave out 'async' if it returns one",
            _choice(module, target),
        )
    required = _required_parameters(value)
    if required:
        raise CommandProblem(
            f"{target} is a function that needs {listed(repr(name) for name in required)}; {EXPECTED}",
            _choice(module, target),
        )
    try:
        made = value()
    except BaseException as error:
        raise trouble(error, target, f"{target}()") from error
    if _is_pipeline(made):
        return made
    if inspect.iscoroutine(made):
        made.close()
    raise CommandProblem(f"{target}() returned {_described(made)}; {EXPECTED}", _choice(module, target))


def _required_parameters(function: Callable[..., object]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []  # a built-in that does not tell: the call will
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in optional]


def _is_pipeline(value: object) -> TypeGuard[Pipeline]:
    return isinstance(value, (Registry, Task, TaskTree, TreeBuilder))


def _described(value: object) -> str:
    """Return what a value is, in a few words, and the value itself where that is short."""
    if value is None:
        return "None"
    if isinstance(value, ModuleType):
        return "a module"
    if inspect.isclass(value):
        return f"the class {value.__qualname__}"
    if callable(value):
        return "a function"
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 - the user's own __repr__; the type says enough
        shown = ""
    name = type(value).__qualname__
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name}{f', {shown}' if 0 < len(shown) <= _VALUE_LENGTH else ''}"


# -- what there is to choose from -------------------------------------------------------------------------------------


def pipelines_in(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield the names in a module that can be a target, each with what it is."""
    for name, value in vars(module).items():
        if not name.startswith("_") and _is_pipeline(value):
            yield name, kind(value)


def kind(value: object) -> str:
    """Return the word for what a value is."""
    if isinstance(value, Group):
        return "group"
    if isinstance(value, Task):
        return "task"
    return type(value).__name__


def _choice(module: ModuleType, target: Target) -> list[str]:
    """Return the line that says what pipelines a module has: tasks only where it has nothing bigger."""
    every = list(pipelines_in(module))
    shown = [(name, what) for name, what in every if what != "task"] or every
    if not shown:
        return [f'there is no pipeline in {target.place}; one begins with: tree = Registry("{target.attribute}")']
    return [f"pipelines in {target.place}: {listed(f'{name} ({what})' for name, what in shown)}"]
