"""Values for the parameters of a pipeline, out of the texts of a command line or of pyproject.toml.

What a text means is decided by the type of the parameter, and by msgspec, which reads numbers, truths, dates, choices
and, from JSON, everything that is made of these.
"""

from __future__ import annotations

import typing
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from enum import EnumMeta
from pathlib import PurePath
from types import UnionType
from typing import Any, Final, cast

from treetask.cli._options import Param, option_names
from treetask.cli._problem import CommandProblem, closest
from treetask.dsl import Registry, Task, parameter_defaults, parameter_types, required_parameters
from treetask.model import HIDDEN, Secret, mentions_secret
from treetask.text import display_width, safe_text

#: What a truth may be given as.
_TRUTHS: Final = (None, "true", "false", "True", "False", "1", "0")
_FROM_FILE: Final = "pyproject.toml: [tool.treetask.params]"


def values_for(
    pipeline: object,
    given: Iterable[Param],
    defaults: Mapping[str, object],
    *,
    is_own: bool,
    known: Container[str] = (),
) -> dict[str, Any]:
    """Return the values of a pipeline's parameters by name: those `given`, else the `defaults` of pyproject.toml.

    Those that are `known` otherwise need not be given.

    Raises `CommandProblem` for a name that the pipeline has not, with the closest that it or the command has, and for a
    text that does not fit. Defaults that are not its own are left out where it has no such name.
    """
    types, required = _parameters_of(pipeline)
    values: dict[str, Any] = {}
    for name, value in defaults.items():
        if name in types:
            values[name] = _converted(f"{_FROM_FILE} {name}", value, types[name])
        elif is_own:
            raise CommandProblem(f"{_FROM_FILE} has '{name}', which is no parameter{_hint(name, list(types))}")
    for name, text, option, is_apart in given:
        if name not in types:
            own = [f"--{each}" for each in types]
            raise _unknown(option, _hint(f"--{name}", own, option_names()))
        if text is None and types[name] is not bool:
            raise CommandProblem(f"{option} needs a value: {option}=VALUE")
        if types[name] is bool and text not in _TRUTHS:
            fix = f"; write {option}=true before '{text}'" if is_apart else ""
            raise CommandProblem(f"{option} is true or false, found '{text}'{fix}")
        values[name] = _converted(option, "true" if text is None else text, types[name])
    missing = [name for name in required if name not in values and name not in known]
    if missing:
        names = " and ".join(f"'{name}'" for name in missing)
        ways = " ".join(option_for(name, "VALUE") for name in missing)
        raise CommandProblem(f"the pipeline needs {names}; give it: {ways}")
    return values


def option_for(name: str, text: str) -> str:
    """Return how a parameter is given a value."""
    return f"--set {name}={text}" if f"--{name}" in option_names() else f"--{name} {text}"


def _parameters_of(pipeline: object) -> tuple[Mapping[str, object], Iterable[str]]:
    """Return the parameters of a pipeline with their types, and the names of those that have no default."""
    if isinstance(pipeline, Registry):
        return parameter_types(pipeline), required_parameters(pipeline)
    if isinstance(pipeline, Task):
        task = cast("Task[..., Any]", pipeline)
        return parameter_types(task), required_parameters(task)
    return {}, ()


def types_for(pipeline: object) -> Mapping[str, object]:
    """Return the types of a pipeline's parameters by name."""
    return _parameters_of(pipeline)[0]


def described(pipeline: object) -> Iterator[str]:
    """Yield a line for each parameter of a pipeline: how it is given, its type and its default."""
    types, _ = _parameters_of(pipeline)
    defaults: Mapping[str, object] = {}
    if isinstance(pipeline, Registry):
        defaults = parameter_defaults(pipeline)
    elif isinstance(pipeline, Task):
        defaults = parameter_defaults(cast("Task[..., Any]", pipeline))
    taken = option_names()
    rows = [(f"--set {name}=" if f"--{name}" in taken else f"--{name}", _shown(types[name]), name) for name in types]
    columns = [max(map(display_width, each), default=0) for each in zip(*rows, strict=True)]
    for option, wanted, name in rows:
        text = HIDDEN if mentions_secret(types[name]) else repr(defaults.get(name))
        default = f"  default {safe_text(text)}" if name in defaults else ""
        yield f"  {option:{columns[0]}}  {safe_text(wanted):{columns[1]}}{default}".rstrip()


def refuse_misspelt(given: Iterable[Param]) -> None:
    """Raise `CommandProblem` for a name that is nearly that of an option of the command."""
    for _, _, option, _ in given:
        close = closest(option, option_names())
        if close is not None:
            raise _unknown(option, f" (did you mean {close}?)")


def _unknown(option: str, hint: str) -> CommandProblem:
    return CommandProblem(f"unknown option '{option}'{hint}; 'treetask --help' shows how it is used")


def _hint(name: str, own: list[str], options: Iterable[str] = ()) -> str:
    close = closest(name, [*own, *options])
    if close is not None:
        return f" (did you mean {close}?)"
    return f" (the pipeline has {', '.join(own)})" if own else ""


def _converted(what: str, value: object, wanted: object) -> object:
    """Return a value of the type that is wanted. What is to be secret is in no message."""
    if not mentions_secret(wanted):
        return _read(what, value, wanted)
    members = typing.get_args(wanted) if typing.get_origin(wanted) in (typing.Union, UnionType) else (wanted,)
    kind = next(each for each in members if mentions_secret(each))
    try:
        if kind is Secret or typing.get_origin(kind) is Secret:
            return Secret(_read(what, value, *(typing.get_args(kind) or (str,))))
        return _read(what, value, wanted)
    except CommandProblem:
        raise CommandProblem(f"{what} is {HIDDEN}; expected {_shown(wanted)}") from None


def _read(what: str, value: object, wanted: object) -> object:
    if wanted is Any or wanted is object or (wanted is str and isinstance(value, str)):
        return value
    if isinstance(wanted, EnumMeta) and isinstance(value, str) and value in wanted.__members__:
        return wanted.__members__[value]
    import msgspec

    def convert(known: object) -> object:
        return msgspec.convert(known, cast("Any", wanted), strict=False, dec_hook=_made)

    try:
        return convert(value)
    except msgspec.ValidationError as error:
        problem = str(error)
    except (TypeError, NotImplementedError):
        text = f"a value of type {_shown(wanted)} cannot be told from text; give it in code"
        raise CommandProblem(f"{what}: {text}") from None
    if isinstance(value, str):
        # Lists and tables: as JSON, or a few words with commas between them.
        with suppress(msgspec.MsgspecError):
            return convert(msgspec.json.decode(value))
        with suppress(msgspec.MsgspecError):
            return convert(value.split(",") if value else [])
    names = [] if not isinstance(wanted, EnumMeta) else [*wanted.__members__]
    why = f"there are {', '.join(names)}" if names else _lowered(problem)
    raise CommandProblem(f"{what} is {value!r}; expected {_shown(wanted)} ({why})")


def _made(kind: type[Any], value: object) -> object:
    """Return what msgspec knows nothing of."""
    if kind is Secret or typing.get_origin(kind) is Secret:
        return Secret(_read("", value, *(typing.get_args(kind) or (str,))))
    if isinstance(kind, type) and issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    raise NotImplementedError


def _shown(wanted: object) -> str:
    if isinstance(wanted, type) and typing.get_origin(wanted) is None:  # `list[str]` is a type on 3.10
        return wanted.__name__
    return str(wanted).replace("typing.", "").replace(f"{Secret.__module__}.", "")


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
