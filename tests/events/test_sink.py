"""Bytes on their way to a file: all of them, in order, and one word when that does not work."""

from __future__ import annotations

import errno
import threading

from treetask.events import Sink


class Place:
    """Where bytes go: as it is told, it takes them, or it is full."""

    def __init__(self, room: int | None = None) -> None:
        self.data = b""
        self.room = room

    def write(self, data: bytes, /) -> None:
        if self.room is not None and len(self.data) + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.data += data

    def flush(self) -> None: ...


def test_all_is_written_in_order() -> None:
    """From any thread, and before `close` returns."""
    place = Place()
    errors: list[Exception] = []
    sink = Sink(place, errors.append)
    for number in range(1_000):
        sink.put(b"%d\n" % number)
    assert sink.flush(10)
    assert place.data == b"".join(b"%d\n" % number for number in range(1_000))
    sink.put(b"last")
    sink.close()
    assert place.data.endswith(b"999\nlast")
    assert errors == []


def test_what_cannot_be_written_is_told_once() -> None:
    """And what comes later is let go, without waiting."""
    told = threading.Event()
    errors: list[str] = []

    def tell(error: Exception) -> None:
        errors.append(str(error))
        told.set()

    sink = Sink(Place(room=4), tell)
    sink.put(b"12345")
    assert told.wait(10)
    for _ in range(3):
        sink.put(b"x" * 1_000)
        assert sink.flush(10)
    sink.close()
    assert errors == ["[Errno 28] No space left on device"]
