"""Another body for a declaration, for the time of a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from treetask.dsl._dataflow import check_body
from treetask.dsl._declaration import Body, Declaration, standing_in
from treetask.dsl._errors import BodyError
from treetask.dsl._inspection import body_name, inspect_body
from treetask.dsl._place import Place
from treetask.model import BodyKind

#: What may stand in for a body of each kind.
_MAY_STAND_IN: Final = {
    BodyKind.ASYNC: (BodyKind.ASYNC,),
    BodyKind.THREAD: (BodyKind.THREAD, BodyKind.ASYNC),
    BodyKind.SPAWNER: (BodyKind.SPAWNER, BodyKind.ASYNC),
    BodyKind.THREAD_SPAWNER: (BodyKind.THREAD_SPAWNER, BodyKind.SPAWNER, BodyKind.THREAD, BodyKind.ASYNC),
}
_WORDS: Final = {
    BodyKind.ASYNC: "an `async def`",
    BodyKind.THREAD: "a plain `def`",
    BodyKind.SPAWNER: "an `async def` that yields",
    BodyKind.THREAD_SPAWNER: "a `def` that yields",
}


def override(declared: Declaration, fn: Callable[..., Any]) -> AbstractContextManager[None]:
    """Return a context in which `fn` is the body of a declaration, for all that is built or spawned meanwhile.

    Raises `BodyError` for a function that cannot be called in its place.
    """
    place = Place.of(fn)
    body = inspect_body(fn, place)
    original = declared.body
    problem = "a group without a body has none to override" if original is None else _misfit(original, body)
    if original is None or problem is not None:
        raise BodyError(body_name(fn), place, f"it is to stand in for {declared}, but {problem}", _FIX)
    # What its author left out, or left without a default, a run fills in as it does for the original.
    inherited = {name: each for name, each in original.references.items() if name in body.parameters.names}
    body = dataclasses.replace(body, references={**inherited, **body.references})
    check_body(declared, body)
    return _in_place(declared, body)


_FIX: Final = "write it like the function that it replaces"


@contextmanager
def _in_place(declared: Declaration, body: Body) -> Generator[None, None, None]:
    # The options that its spawned nodes share have the edges of the body that ran.
    declared.shared_options = None
    try:
        with standing_in(body, declared.stand_ins):
            yield
    finally:
        declared.shared_options = declared.quick_bind = None


def _misfit(original: Body, body: Body) -> str | None:
    """Return why one body cannot be called like another; None if it can."""
    allowed = _MAY_STAND_IN[original.kind]
    if body.kind not in allowed:
        return f"it is {_WORDS[body.kind]}; expected {' or '.join(_WORDS[each] for each in allowed)}"
    wanted, taken = original.parameters, body.parameters
    filled = {*original.references, *body.references}
    for name in taken.required:
        if name not in wanted.names or (name not in wanted.required and name not in filled):
            return f"nothing binds its parameter '{name}'"
    for name in wanted.keywords:
        if name not in filled and not taken.takes_keyword(name):
            return f"it does not take '{name}'"
    by_position = [name for name in wanted.positional if name not in filled or name in taken.positional]
    if list(taken.positional[: len(by_position)]) != by_position:
        return f"by position it takes {_listed(taken.positional)}; expected {_listed(by_position)}"
    return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "nothing"
