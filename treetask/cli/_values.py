"""Values for the parameters of a pipeline, out of the texts of a command line or of pyproject.toml.

What a text means is decided by the type of the parameter, and by msgspec, which reads numbers, truths, dates, choices
and, from JSON, everything that is made of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import EnumMeta
from pathlib import PurePath
from typing import Any, Final, cast

from treetask.cli._options import option_names
from treetask.cli._problem import CommandProblem, closest
from treetask.dsl import Registry, Task, parameter_types

#: What a parameter was given: its text, or nothing, as a flag is.
Given = tuple[str, str | None]

_FROM_FILE: Final = "pyproject.toml: [tool.treetask.params]"


def values_for(
    pipeline: object, given: Iterable[Given], defaults: Mapping[str, object], *, is_own: bool
) -> dict[str, Any]:
    """Return the values of a pipeline's parameters by name: those `given`, else the `defaults` of pyproject.toml.

    Raises `CommandProblem` for a name that the pipeline has not, with the closest that it or the command has, and for a
    text that does not fit. Defaults that are not its own are left out where it has no such name.
    """
    types: dict[str, object] = {}
    if isinstance(pipeline, Registry):
        types = parameter_types(pipeline)
    elif isinstance(pipeline, Task):
        types = parameter_types(cast("Task[..., Any]", pipeline))
    values: dict[str, Any] = {}
    for name, value in defaults.items():
        if name in types:
            values[name] = _converted(f"{_FROM_FILE} {name}", value, types[name])
        elif is_own:
            raise CommandProblem(f"{_FROM_FILE} has '{name}', which is no parameter{_hint(name, list(types))}")
    for name, text in given:
        if name not in types:
            own = [f"--{each}" for each in types]
            raise _unknown(name, _hint(f"--{name}", own, option_names()))
        if text is None and types[name] is not bool:
            raise CommandProblem(f"--{name} needs a value: --{name} VALUE")
        values[name] = _converted(f"--{name}", "true" if text is None else text, types[name])
    return values


def refuse_misspelt(given: Iterable[Given]) -> None:
    """Raise `CommandProblem` for a name that is nearly that of an option of the command."""
    for name, _ in given:
        close = closest(f"--{name}", option_names())
        if close is not None:
            raise _unknown(name, f" (did you mean {close}?)")


def _unknown(name: str, hint: str) -> CommandProblem:
    return CommandProblem(f"unknown option '--{name}'{hint}; 'treetask --help' shows how it is used")


def _hint(name: str, own: list[str], options: Iterable[str] = ()) -> str:
    close = closest(name, [*own, *options])
    if close is not None:
        return f" (did you mean {close}?)"
    return f" (the pipeline has {', '.join(own)})" if own else ""


def _converted(what: str, value: object, wanted: object) -> object:
    """Return a value of the type that is wanted."""
    if wanted is Any or (wanted is str and isinstance(value, str)):
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
    except TypeError:
        text = f"a value of type {_shown(wanted)} cannot be told from text; give it in code"
        raise CommandProblem(f"{what}: {text}") from None
    if isinstance(value, str):
        # Lists and tables: as JSON, or a few words with commas between them.
        with suppress(msgspec.MsgspecError):
            return convert(msgspec.json.decode(value))
        with suppress(msgspec.MsgspecError):
            return convert(value.split(","))
    raise CommandProblem(f"{what} is {value!r}; expected {_shown(wanted)} ({_lowered(problem)})")


def _made(kind: type[Any], value: object) -> object:
    """Return what msgspec knows nothing of."""
    if issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    raise NotImplementedError


def _shown(wanted: object) -> str:
    return wanted.__name__ if isinstance(wanted, type) else str(wanted).replace("typing.", "")


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
