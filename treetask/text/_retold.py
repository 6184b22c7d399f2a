"""Exceptions of which only a record is left: what they said and where they came from, without what they were."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, cast

from treetask.text._traceback import SourceFrame


class Retold(Exception):
    """Stands for an exception, in whatever shows exceptions; see `retold`."""

    def __init__(self, message: str, frames: Sequence[SourceFrame]) -> None:
        super().__init__(message)
        self.frames = list(frames)


def retold(kind: str, message: str, frames: Sequence[SourceFrame], cause: BaseException | None = None) -> Retold:
    """Return what stands for an exception of a kind, of which no more is known than its name."""
    exception: Retold = _class_of(kind)(message, frames)
    exception.__cause__ = cause
    return exception


@functools.lru_cache(maxsize=256)
def _class_of(kind: str) -> type[Retold]:
    made: Any = type("Retold", (Retold,), {})
    made.__qualname__ = kind.replace("\x00", "")
    made.__name__ = kind.rpartition(".")[2].replace("\x00", "")
    return cast("type[Retold]", made)
