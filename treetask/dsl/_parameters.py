"""What a body may be given: its parameters without the node. Checks arguments; knows nothing of tasks and trees.

`inspect.Signature.bind` says the same in several microseconds; a spawner makes a child in less.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from inspect import Parameter
from typing import Any, Final

from treetask._errors import did_you_mean

_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_NAMED: Final = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class Parameters:
    """The parameters that callers see, in order, without `*args`, which a body does not have."""

    __slots__ = ("_any_keyword", "_keywords", "_least", "_parameters", "_positional", "_required")

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self._parameters: Final = tuple(parameters)
        self._positional: Final = tuple(each.name for each in self._parameters if each.kind in _POSITIONAL)
        self._keywords: Final = frozenset(each.name for each in self._parameters if each.kind in _NAMED)
        self._any_keyword: Final = any(each.kind is Parameter.VAR_KEYWORD for each in self._parameters)
        self._required: Final = frozenset(self.required)
        # How many positions have to be filled for arguments without keywords to do; too many to reach if none would.
        names = [place + 1 for place, name in enumerate(self._positional) if name in self._required]
        only_named = self._required.difference(self._positional)
        self._least: Final = len(self._positional) + 1 if only_named else max(names, default=0)

    @property
    def names(self) -> list[str]:
        """All names, in order."""
        return [each.name for each in self._parameters if each.kind is not Parameter.VAR_KEYWORD]

    @property
    def positional(self) -> tuple[str, ...]:
        """The names that may be filled by position, in order."""
        return self._positional

    @property
    def keywords(self) -> list[str]:
        """The names that may be filled by name, in order."""
        return [name for name in self.names if name in self._keywords]

    @property
    def annotations(self) -> dict[str, Any]:
        """The annotations of those that may be filled by name, as they were written; `Any` where there is none."""
        return {
            each.name: Any if each.annotation is Parameter.empty else each.annotation
            for each in self._parameters
            if each.kind in _NAMED
        }

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of those that may be filled by name and have one."""
        parameters = (each for each in self._parameters if each.kind in _NAMED)
        return {each.name: each.default for each in parameters if each.default is not Parameter.empty}

    def takes_keyword(self, name: str) -> bool:
        """Whether an argument may have this name."""
        return self._any_keyword or name in self._keywords

    @property
    def required(self) -> list[str]:
        """The names without a default."""
        return [
            each.name
            for each in self._parameters
            if each.default is Parameter.empty and each.kind is not Parameter.VAR_KEYWORD
        ]

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> set[str]:
        """Return the names that arguments fill."""
        return {*self._positional[: len(args)], *kwargs}

    def problem(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], also: Iterable[str] = ()) -> str | None:
        """Return what is wrong about arguments that do not fit; None if they do.

        `also` are names that could have been meant besides.
        """
        if not kwargs and self._least <= len(args) <= len(self._positional):
            return None
        problem = self._problem(args, kwargs, also)
        return None if problem is None else f"{problem}; it takes {self}"

    def _problem(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], also: Iterable[str]) -> str | None:
        count, most = len(args), len(self._positional)
        if count > most:
            plural = "" if count == 1 else "s"
            expected = f"at most {most}" if most else "none"
            return f"was given {count} argument{plural} by position; expected {expected}"
        if not self._any_keyword:
            for name in kwargs:
                if name not in self._keywords:
                    return f"has no parameter '{name}'{did_you_mean(name, sorted({*self._keywords, *also}))}"
        for name in self._positional[:count]:
            if name in kwargs and name in self._keywords:
                return f"was given '{name}' twice, by position and by name"
        # A keyword that only `**kwargs` takes does not fill a positional-only parameter of that name.
        named = kwargs.keys() & self._keywords
        missing = [f"'{name}'" for name in self.required if name not in named and name not in self._positional[:count]]
        return f"needs {' and '.join(missing)}" if missing else None

    @property
    def signature(self) -> inspect.Signature:
        """The same, for tools that show it."""
        return inspect.Signature(self._parameters)

    def __str__(self) -> str:
        bare = [each.replace(annotation=Parameter.empty) for each in self._parameters]
        return str(inspect.Signature(bare))


#: What a declaration without a body takes.
NO_PARAMETERS: Final = Parameters(())
