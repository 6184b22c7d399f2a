"""Takes the words of a command line apart: options, parameters of the pipeline, and words that are neither.

Knows the form of words, not what an option means. What is no option of the command may be a parameter of a pipeline
that is not known yet, so `--pages 5` is taken for one, in its place among the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from treetask.cli._problem import CommandProblem

USAGE_HINT: Final = "'treetask --help' shows how it is used"

#: A word that begins like an option and is a value.
_NUMBER: Final = re.compile(r"-\.?\d")


class Option(NamedTuple):
    """An option of the command."""

    #: What its value is kept under.
    key: str
    #: As it is written, the short form first.
    names: tuple[str, ...]
    help: str
    #: What stands for its value; None for a flag.
    metavar: str | None = None
    #: Makes the value out of its text, or raises `CommandProblem`.
    read: Callable[[str], Any] = str
    #: Whether it may be given several times, each counting.
    repeats: bool = False

    @property
    def shown(self) -> str:
        """Return its names as one word of a sentence."""
        return "/".join(self.names)


class Param(NamedTuple):
    """A parameter of the pipeline, or what else is no option."""

    name: str
    #: Its value; None for a flag.
    text: str | None
    #: As it was written, for messages.
    option: str
    #: Whether the value is a word of its own, which may have been meant otherwise.
    is_apart: bool = False


@dataclass(slots=True)
class Words:
    """A command line, taken apart."""

    #: The values of the options that were given, by their keys; True for a flag.
    given: dict[str, Any] = field(default_factory=dict[str, Any])
    #: In the order in which they were given.
    params: list[Param] = field(default_factory=list[Param])
    others: list[str] = field(default_factory=list[str])


class Reader:
    """Reads the words of one command."""

    def __init__(self, options: Iterable[Option], refused: Iterable[str]) -> None:
        self._options = {name: option for option in options for name in option.names}
        #: Long names that are taken for no parameter.
        self._refused = frozenset(refused)
        self._waiting: list[str] = []
        self._found = Words()

    def read(self, arguments: Sequence[str]) -> Words:
        """Return what the words are. Raises `CommandProblem` for the first that is wrong."""
        self._waiting = list(arguments)[::-1]
        while self._waiting:
            word = self._waiting.pop()
            if word == "--":
                self._found.others += self._waiting[::-1]
                break
            if word == "-" or not word.startswith("-"):
                self._found.others.append(word)
            elif word.startswith("--"):
                self._read_long(word)
            else:
                self._read_short(word)
        return self._found

    def _read_long(self, word: str) -> None:
        name, is_whole, text = word.partition("=")
        option = self._options.get(name)
        if name == "--set":
            self._read_setting(text if is_whole else None)
        elif option is not None:
            self._take(option, name, text if is_whole else None)
        elif name in self._refused:
            raise CommandProblem(f"{name} is not available in this version; a parameter of that name needs --set")
        else:
            is_apart = not is_whole and self._has_value()
            value = self._waiting.pop() if is_apart else text if is_whole else None
            # `--max-pages` is `max_pages`.
            self._found.params.append(Param(name.removeprefix("--").replace("-", "_"), value, name, is_apart))

    def _read_short(self, word: str) -> None:
        """Read flags behind one sign, of which the last may be an option with its value: `-xj4`."""
        rest = word[1:]
        while rest:
            name, rest = f"-{rest[0]}", rest[1:]
            option = self._options.get(name)
            if option is None:
                raise CommandProblem(f"unknown option '{word.partition('=')[0]}'; {USAGE_HINT}")
            if option.metavar is not None:
                self._take(option, name, rest.removeprefix("=") or None)
                return
            self._take(option, name, None)

    def _take(self, option: Option, name: str, text: str | None) -> None:
        if option.metavar is None:
            if text is not None:
                raise CommandProblem(f"{name}: takes no value, found '{text}'; {USAGE_HINT}")
            self._found.given[option.key] = True
            return
        if text is None:
            if not self._has_value():
                raise CommandProblem(f"{name}: expected {option.metavar} after it; {USAGE_HINT}")
            text = self._waiting.pop()
        try:
            value = option.read(text)
        except CommandProblem as problem:
            raise CommandProblem(f"{option.shown}: {problem}; {USAGE_HINT}") from None
        if option.repeats:
            self._found.given.setdefault(option.key, []).append(value)
        else:
            self._found.given[option.key] = value

    def _read_setting(self, text: str | None) -> None:
        if text is None:
            if not self._waiting:
                raise CommandProblem(f"--set: expected NAME=VALUE; {USAGE_HINT}")
            text = self._waiting.pop()
        name, is_whole, value = text.partition("=")
        if not is_whole or not name.isidentifier():
            raise CommandProblem(f"--set: expected NAME=VALUE, found '{text}'")
        self._found.params.append(Param(name, value, f"--set {name}"))

    def _has_value(self) -> bool:
        """Whether the next word may be the value of the one before."""
        if not self._waiting:
            return False
        word = self._waiting[-1]
        return word == "-" or not word.startswith("-") or _NUMBER.match(word) is not None
