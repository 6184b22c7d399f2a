"""Where a body runs, if a declaration says so: on the event loop, or in a thread."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from treetask._errors import did_you_mean
from treetask.dsl._declaration import Body
from treetask.model import BodyKind, Return

BACKENDS: Final = ("inline", "thread")
_LATER: Final = ("process", "dask")

#: What becomes of a body that would run in threads, on the event loop.
_ON_LOOP: Final[Mapping[BodyKind, BodyKind]] = {
    BodyKind.THREAD: BodyKind.ASYNC,
    BodyKind.THREAD_SPAWNER: BodyKind.SPAWNER,
}


def check_backend(owner: str, backend: object, body: Body | None) -> str | None:
    """Return where a body is to run; None leaves it to what it is. Raises `TypeError` or `ValueError`."""
    if backend is None:
        return None
    if not isinstance(backend, str):
        raise TypeError(f"{owner}: backend is {backend!r}; expected 'inline' or 'thread'")
    if backend in _LATER:
        raise TypeError(f"{owner}: backend '{backend}' is not available in this version of TreeTask")
    if backend not in BACKENDS:
        raise ValueError(f"{owner}: there is no backend '{backend}'{did_you_mean(backend, BACKENDS)}")
    if backend == "thread" and body is not None and not body.kind.in_thread:
        raise ValueError(f"{owner}: backend='thread' is for a plain `def`; an `async def` runs on the event loop")
    return backend


@functools.lru_cache(maxsize=256)
def on_loop(body: Body) -> Body:
    """Return a body that runs in threads as one that runs on the event loop."""
    kind = _ON_LOOP[body.kind]
    return replace(body, fn=(_called if kind is BodyKind.ASYNC else _stepped)(body.fn), kind=kind)


def _called(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    async def call(*args: object, **kwargs: object) -> object:
        result = fn(*args, **kwargs)
        # As of one in a thread: it may be a lambda around an async function.
        return await result if hasattr(result, "__await__") else result

    return call


def _stepped(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    async def step(*args: object, **kwargs: object) -> AsyncGenerator[object, Any]:
        generator = fn(*args, **kwargs)
        result: object = None
        has_result = False
        try:
            yielded = next(generator)
            while True:
                try:
                    answer = yield yielded
                except Exception as error:  # noqa: BLE001 - whatever it is, the body may catch it
                    # Not a cancellation: plain code knows none, and is closed, as it is in threads.
                    yielded = generator.throw(error)
                else:
                    has_result = has_result or isinstance(yielded, Return)
                    yielded = generator.send(answer)
        except StopIteration as end:
            result = end.value
        finally:
            generator.close()
        if not has_result:
            yield Return(result)

    return step
