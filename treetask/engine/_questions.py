"""What other threads ask of a run, and wait to be answered: done on the loop, or refused when the run is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, Final, TypeVar

from treetask._errors import TreeRunningError

T = TypeVar("T")


class Questions:
    """The questions to one run. Made in the thread of its loop."""

    def __init__(self, root_id: str, post: Callable[[Callable[[], None]], None], is_gone: Callable[[], bool]) -> None:
        self._root_id: Final = root_id
        self._thread: Final = threading.get_ident()
        self._post: Final = post
        self._is_gone: Final = is_gone
        #: Those that were asked and not answered.
        self.open: Final[set[Future[Any]]] = set()

    def are_needless(self) -> bool:
        """Whether the caller is in the thread of the loop itself."""
        return threading.get_ident() == self._thread

    def answer(self, act: Callable[[], T]) -> T:
        """Do something on the loop and return what comes of it, to whatever thread asked."""
        if self.are_needless():
            return act()
        answer: Future[T] = Future()

        def do() -> None:
            try:
                answer.set_result(act())
            except BaseException as error:
                answer.set_exception(error)

        self.open.add(answer)
        self._post(do)
        if self._is_gone():
            self.refuse()
        try:
            return answer.result()
        finally:
            self.open.discard(answer)

    def refuse(self) -> None:
        """Answer what the loop will never come to, since the run is over."""
        for question in list(self.open):
            with suppress(InvalidStateError):
                question.set_exception(TreeRunningError(f"the run of '{self._root_id}' has ended"))
