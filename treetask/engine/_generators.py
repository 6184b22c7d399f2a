"""Closes the async generators that a body leaves open, in the body's own task.

Left alone, they would be closed by the event loop, in some other task and at some later time: by then the scopes and
connections that they hold belong to nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import AsyncGeneratorType
from typing import Any, Final, TypeAlias

import anyio

from treetask.engine._step import current_node
from treetask.model import TaskNode

_AnyGenerator: TypeAlias = "AsyncGeneratorType[Any, Any]"

#: So many generators of one body are kept before those that are through are looked for and let go.
_MANY: Final = 64


class OpenGenerators:
    """The async generators that bodies have begun to iterate. Costs nothing where there are none.

    They are held: one that is let go unfinished, as a loop does that an exception leaves, would be closed elsewhere.
    """

    def __init__(self) -> None:
        self.of: Final[dict[TaskNode, list[_AnyGenerator]]] = {}
        self._spared: Final[set[object]] = set()

    def spare(self, generator: object) -> None:
        """One that is about to begin, inside of `watched`, is its maker's to close: here and by the loop it is not."""
        self._spared.add(generator)

    @contextmanager
    def watched(self) -> Generator[None, None, None]:
        """Note, inside, every generator of this thread that is begun in a body; the loop's own hook still sees it."""
        before = sys.get_asyncgen_hooks().firstiter

        def note(generator: Any) -> None:
            if generator in self._spared:
                self._spared.remove(generator)
                return
            node = current_node.get(None)
            if node is not None:
                self._add(node, generator)
            if before is not None:
                before(generator)

        sys.set_asyncgen_hooks(firstiter=note)
        try:
            yield
        finally:
            # Somebody may have set a hook of their own meanwhile and not taken it away: it stays theirs.
            if sys.get_asyncgen_hooks().firstiter is note:
                sys.set_asyncgen_hooks(firstiter=before)

    def _add(self, node: TaskNode, generator: _AnyGenerator) -> None:
        begun = self.of.setdefault(node, [])
        begun.append(generator)
        if len(begun) % _MANY == 0:
            begun[:] = [one for one in begun if one.ag_frame is not None]

    async def close(self, node: TaskNode, *, shield: bool) -> None:
        """Close what a body has left open, the newest first. To be awaited in the task that ran it.

        Without a shield where a generator holds a scope open: then it is the innermost, and must be left first.
        """
        for generator in reversed(self.of.pop(node)):
            if generator.ag_frame is None or generator.ag_running:
                continue
            if shield:
                with anyio.CancelScope(shield=True):
                    await generator.aclose()
            else:
                await generator.aclose()
