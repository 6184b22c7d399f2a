"""Selectors: the words that name nodes of a tree. Pure matching of texts; knows no tree.

    checks/lint     a node by its id, without that of the root or with it
    checks/*        by a pattern: `*` any part of one segment, `?` one sign of it, `**` any number of segments
    tag:net         every node with that tag
    +publish        with what it needs, and what that needs
    crawl+          with what needs it, and what needs that

A segment is what one node's id adds to that of its parent. Keys of children may hold anything, as in
`fetch[http://a/b]`, so brackets are brackets, and a `/` of a pattern is any `/` of an id, between nodes or in a key;
what `*` and `?` stand for ends where the next node begins. For a sign that means something here there is `?`.

A path is a list of segments in one text, with `BETWEEN` between two of them; that of the root is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from treetask._errors import DefinitionError

#: Between the segments of a path. No key has it that a person would write.
BETWEEN: Final = "\0"
_ANY: Final = f"[^{BETWEEN}]"
_SLASH: Final = f"[/{BETWEEN}]"
_SIGNS: Final = {"*": f"{_ANY}*", "?": _ANY}
#: What tells nodes apart otherwise than by their ids.
_TAG: Final = "tag:"
_STATE: Final = "state:"


class Selector:
    """One selector, read. Raises `ValueError` for one without words, `DefinitionError` for one of a later version."""

    __slots__ = ("_below", "_path", "is_name", "tag", "text", "with_needers", "with_needs", "words")

    def __init__(self, text: str, root_id: str) -> None:
        self.text: Final = text
        self.with_needs: Final = text.startswith("+")
        words = text.removeprefix("+")
        self.with_needers: Final = words.endswith("+")
        #: The selector without the signs for what else it selects.
        self.words: Final = words.removesuffix("+")
        if not self.words or self.words == _TAG:
            raise ValueError(f"the selector {text!r} names nothing; expected an id, a pattern, or tag:NAME")
        if self.words.startswith(_STATE):
            raise DefinitionError(f"the selector '{text}' is not available in this version, which keeps no runs")
        self.tag: Final = self.words.removeprefix(_TAG) if self.words.startswith(_TAG) else None
        #: Whether it can mean one id only.
        self.is_name: Final = self.tag is None and not _SIGNS.keys() & {*self.words}
        patterns = [self.words] if self.tag is None else []
        if self.words == root_id:
            patterns.append("")
        elif self.words.startswith(f"{root_id}/"):
            patterns.append(self.words[len(root_id) + 1 :])
        self._path: Final = _one_of(map(_whole, patterns))
        self._below: Final = _one_of(start for pattern in patterns for start in _starts(pattern))

    def matches(self, path: str, tags: AbstractSet[str]) -> bool:
        """Whether the node of that path, with these tags, is meant."""
        return self.tag in tags if self.tag is not None else self._path.fullmatch(path) is not None

    def may_match_below(self, path: str) -> bool:
        """Whether a node below that of the path could be meant, if there were one."""
        return self.tag is not None or self._below.fullmatch(f"{path}{BETWEEN}" if path else "") is not None


def _one_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.DOTALL)


def _whole(pattern: str) -> str:
    """Return a regular expression for the paths that a pattern means."""
    *starts, last = pattern.split("/")
    return "".join(map(_start, starts)) + (".+" if last == "**" else _segment(last))


def _starts(pattern: str) -> Iterator[str]:
    """Yield regular expressions for the beginnings of what a pattern means, as far as a node's segments may go."""
    *starts, last = pattern.split("/")
    start = ""
    yield start
    for each in starts:
        start += _start(each)
        yield start
    if last == "**":
        yield f"{start}.+"


def _start(segment: str) -> str:
    return f"(?:.*{_SLASH})?" if segment == "**" else _segment(segment) + _SLASH


def _segment(segment: str) -> str:
    return "".join(_SIGNS.get(sign) or re.escape(sign) for sign in segment)
