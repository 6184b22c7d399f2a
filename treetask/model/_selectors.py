"""Selectors: the words that name nodes of a tree. Pure matching of texts; knows no tree.

    checks/lint     a node by its id, without that of the root or with it
    checks/*        by a pattern: `*` any part of one segment, `?` one sign of it, `**` any number of segments
    tag:net         every node with that tag
    state:failed    every node that ended so in an earlier run, as far as somebody knows of one
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
from typing import Final, Protocol

from treetask._errors import DefinitionError, did_you_mean
from treetask.model._status import TaskStatus

#: Between the segments of a path. No key has it that a person would write.
BETWEEN: Final = "\0"
_ANY: Final = f"[^{BETWEEN}]"
_SLASH: Final = f"[/{BETWEEN}]"
_SIGNS: Final = {"*": f"{_ANY}*", "?": _ANY}
#: What tells nodes apart otherwise than by their ids.
_TAG: Final = "tag:"
_STATE: Final = "state:"


class Endings(Protocol):
    """What is known of the nodes of an earlier run."""

    @property
    def run(self) -> str:
        """The run, as messages name it."""
        ...

    def means(self, state: TaskStatus, node_id: str) -> bool:
        """Whether a node was left in a status, and not only because of what is below it."""
        ...

    def means_below(self, state: TaskStatus, node_id: str) -> bool:
        """Whether some node below that one was."""
        ...


class Selector:
    """One selector, read. Raises `ValueError` for one without words, `DefinitionError` for one that nobody can answer.

    `endings` is what is known of an earlier run, for `state:`.
    """

    __slots__ = (
        *("_below", "_endings", "_path", "is_met", "is_name", "state", "tag", "text"),
        *("with_needers", "with_needs", "words"),
    )

    def __init__(self, text: str, root_id: str, endings: Endings | None = None) -> None:
        self.text: Final = text
        self.with_needs: Final = text.startswith("+")
        words = text.removeprefix("+")
        self.with_needers: Final = words.endswith("+")
        #: The selector without the signs for what else it selects.
        self.words: Final = words.removesuffix("+")
        if not self.words or self.words == _TAG:
            raise ValueError(f"the selector {text!r} names nothing; expected an id, a pattern, or tag:NAME")
        self.state: Final = _state(self.words.removeprefix(_STATE)) if self.words.startswith(_STATE) else None
        self._endings: Final = endings
        #: Whether it has meant anything by a status so far.
        self.is_met = False
        if self.state is not None and endings is None:
            raise DefinitionError(f"the selector '{text}' asks for an earlier run, and none is known here")
        self.tag: Final = self.words.removeprefix(_TAG) if self.words.startswith(_TAG) else None
        #: Whether it can mean one id only.
        is_pattern = self.tag is None and self.state is None
        self.is_name: Final = is_pattern and not _SIGNS.keys() & {*self.words}
        patterns = [self.words] if is_pattern else []
        if self.words == root_id:
            patterns.append("")
        elif self.words.startswith(f"{root_id}/"):
            patterns.append(self.words[len(root_id) + 1 :])
        self._path: Final = _one_of(map(_whole, patterns))
        self._below: Final = _one_of(start for pattern in patterns for start in _starts(pattern))

    def matches(self, path: str, tags: AbstractSet[str], node_id: str = "") -> bool:
        """Whether the node of that path and id, with these tags, is meant."""
        if self.state is not None and self._endings is not None:
            is_meant = self._endings.means(self.state, node_id)
            self.is_met = self.is_met or is_meant
            return is_meant
        return self.tag in tags if self.tag is not None else self._path.fullmatch(path) is not None

    def may_match_below(self, path: str, node_id: str = "") -> bool:
        """Whether a node below that of the path could be meant, if there were one."""
        if self.state is not None and self._endings is not None:
            return self._endings.means_below(self.state, node_id)
        return self.tag is not None or self._below.fullmatch(f"{path}{BETWEEN}" if path else "") is not None

    @property
    def run(self) -> str:
        """The earlier run that is asked, for messages; empty where none is."""
        return "" if self.state is None or self._endings is None else self._endings.run


def _state(text: str) -> TaskStatus:
    known = [status.value for status in TaskStatus]
    if text not in known:
        raise DefinitionError(f"there is no status '{text}' to select by{did_you_mean(text, known)}")
    return TaskStatus(text)


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
