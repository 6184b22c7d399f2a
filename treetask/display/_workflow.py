"""GitHub's workflow commands: how they are written, and what keeps a line that is none from acting as one.

GitHub Actions obeys every line that begins with `::`, and an older form, `##[…]`, anywhere in a line. Knows lines;
nothing of trees.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from treetask.text import without_colours

#: What ends a command, or is how another character is written.
_IN_VALUES: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_VALUE: Final = str.maketrans(_IN_VALUES)
_PROPERTY: Final = str.maketrans(_IN_VALUES | {":": "%3A", ",": "%2C"})


def command(name: str, value: str = "", **properties: str | int | None) -> str:
    """Return the line of a command; properties that are None are left out."""
    given = ",".join(
        f"{key}={str(each).translate(_PROPERTY)}" for key, each in properties.items() if each is not None and each != ""
    )
    return f"::{name}{f' {given}' if given else ''}::{value.translate(_VALUE)}"


def group(title: str, lines: Iterable[str]) -> list[str]:
    """Return lines that are shown when somebody opens their title."""
    return [command("group", title), *lines, command("endgroup")]


def quoted(lines: Iterable[str]) -> list[str]:
    """Return lines that are shown as they are: where one of them might act, commands are stopped around them.

    The word that lets commands act again is random, so that no line can know it.
    """
    every = list(lines)
    if not any(_may_act(line) for line in every):
        return every
    word = os.urandom(16).hex()
    return [command("stop-commands", word), *every, command(word)]


def _may_act(line: str) -> bool:
    return "##[" in line or ("::" in line and without_colours(line).lstrip().startswith("::"))
