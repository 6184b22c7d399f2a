"""What a body may not return: what is still to run, since nobody would run it."""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final

from treetask.model import TaskNode

#: The types of what is still to run. Exact ones: an object that is more than that may be a result.
UNFINISHED: Final = frozenset({CoroutineType, GeneratorType, AsyncGeneratorType})


def refuse(node: TaskNode, result: Any) -> None:
    """Raise `TypeError` for what the body of a node returned, which is of a type in `UNFINISHED`."""
    name = result.__name__
    if type(result) is CoroutineType:
        result.close()  # else it warns that it was never awaited, and of a line that is not to blame
        raise TypeError(f"'{node.id}' returned a call of '{name}' that nobody awaits; write: await {name}(...)")
    if type(result) is AsyncGeneratorType:
        raise TypeError(
            f"'{node.id}' returned an async generator ('{name}') that nobody goes through; "
            "return what it gives: [each async for each in ...]"
        )
    raise TypeError(
        f"'{node.id}' returned a generator ('{name}') that nobody goes through; "
        "return what it gives: list(...); if that is children, the body has to yield them itself"
    )
