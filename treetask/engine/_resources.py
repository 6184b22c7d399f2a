"""Opens what the bodies of a run share, holds it and closes it at the end, each in one task of its own.

What must stay true:
- One task opens a resource, holds it and closes it, so that a scope, a task group or a ContextVar around its `yield` is
  left where it was entered. Nothing of the engine's is opened while it is suspended there.
- What interrupts it while it is held, as the crash of a task group in it does, is thrown in at its `yield`.
- An opening lasts as long as somebody waits for it: one that hangs is given up with the last attempt that wants it, and
  the next one begins when it is down.
- What closes last was opened first: users go before what they use.
- None is closed under a thread that was left behind and has taken it. The end of the run waits for that thread, as long
  as the grace; then such a one, and what it needs itself, stays open for ever: to pull it away might crash the process.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final

import anyio

from treetask._errors import ResourceError, words_of
from treetask.engine._failures import add_note, real_error
from treetask.engine._loop import Loop, Post
from treetask.engine._spawner import AsyncSteps, Ended
from treetask.engine._timers import Timers
from treetask.model import Openable, TaskNode, leaf_exceptions

_logger: Final = logging.getLogger("treetask")
#: A sentence that names more exceptions than this is no longer read.
_LEAVES_SHOWN: Final = 3
#: What is never closed. It is held, since an async generator that is let go unfinished is closed as well.
_left_open: Final[list[AsyncSteps]] = []


class Keeper(Post):
    """One resource of a run, from the first who asks for it until it is closed."""

    __slots__ = ("_waiting", "ended", "error", "is_given_up", "is_left_open", "may_close", "resource", "settled")

    def __init__(self, resource: Openable) -> None:
        self.resource: Final = resource
        self.scope = None
        #: Set when it is open, or could not be opened.
        self.settled: Final = anyio.Event()
        self.may_close: Final = anyio.Event()
        #: Set when nothing of it is left.
        self.ended: Final = anyio.Event()
        #: What those get who ask for it.
        self.error: BaseException | None = None
        #: Whether nobody waits for its opening any more.
        self.is_given_up = False
        #: Whether it is not to be closed: a thread uses it, and was waited for long enough.
        self.is_left_open = False
        self._waiting = 0

    async def wait(self) -> None:
        """Return when it is open; raise what opening it has raised."""
        self._waiting += 1
        try:
            await self.settled.wait()
        finally:
            self._waiting -= 1
            if not self._waiting and not self.settled.is_set():
                self.give_up()
        if self.error is not None:
            raise self.error

    def give_up(self) -> None:
        """Stop the opening."""
        self.is_given_up = True
        if self.scope is not None:
            self.scope.cancel()

    def settle(self, error: BaseException | None) -> None:
        """Tell all who wait."""
        self.error = error
        self.settled.set()


class Resources:
    """The resources of one run. `given` gets the value of each as long as it is open."""

    def __init__(
        self,
        loop: Loop,
        timers: Timers,
        context: Context,
        given: dict[Any, Any],
        *,
        grace: float,
        spare: Callable[[object], None],
        on_crash: Callable[[ResourceError], None],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        #: What went wrong and is no body's error.
        self.troubles: Final[list[ResourceError]] = []
        self._loop: Final = loop
        self._timers: Final = timers
        self._context: Final = context
        self._given: Final = given
        self._grace: Final = grace
        #: Keeps the event loop from closing an async generator that is about to begin, when the loop ends.
        self._spare: Final = spare
        #: Told of one that has ended before its time.
        self._on_crash: Final = on_crash
        #: Told of KeyboardInterrupt, SystemExit and their like.
        self._on_fatal: Final = on_fatal
        #: What is being opened for whose bodies, which wait for it.
        self.waited_for: Final[dict[TaskNode | None, Openable]] = {}
        #: Those that are being opened or open, the first opened first.
        self._keepers: Final[dict[Openable, Keeper]] = {}
        #: What is used by calls in threads that were left behind, each with its node.
        self._lent: Final[dict[object, tuple[TaskNode, list[Keeper]]]] = {}
        #: Set when one of these calls has returned, or no more is waited for them.
        self._returned = anyio.Event()
        self._is_patient = True
        self._is_closing = False
        #: Until when all have to be closed, and how that is said.
        self._ends_at = math.inf
        self._ends = ""

    async def open_for(self, node: TaskNode | None, resources: Iterable[Openable]) -> None:
        """Return when all that a body takes is open."""
        try:
            for each in resources:
                self.waited_for[node] = each
                await self.open(each)
        finally:
            self.waited_for.pop(node, None)

    async def open(self, resource: Openable) -> None:
        """Return when a resource is open: opened by this call, or by another one that is waited for."""
        while resource not in self._given:
            if self._is_closing:
                raise ResourceError(str(resource), "cannot be opened any more: the run is over")
            keeper = self._keepers.get(resource)
            if keeper is None:
                keeper = self._keepers[resource] = Keeper(resource)
                self._context.copy().run(self._loop.start, partial(self._keep, keeper))
            if keeper.is_given_up:
                await keeper.ended.wait()
            else:
                await keeper.wait()

    def lend(self, call: object, node: TaskNode, resources: Iterable[Openable]) -> None:
        """A call in a thread was left behind: what it has taken, and what that needs, is in use until `take_back`."""
        lent: list[Keeper] = []
        waiting = [*resources]
        while waiting:
            keeper = self._keepers.get(waiting.pop())
            if keeper is not None and keeper not in lent:
                lent.append(keeper)
                waiting += keeper.resource.needs
        if lent:
            self._lent[call] = (node, lent)

    def take_back(self, call: object) -> None:
        """The call has returned."""
        if self._lent.pop(call, None) is not None:
            self._returned.set()

    def _users(self, keeper: Keeper) -> list[str]:
        return sorted(f"'{node.id}'" for node, lent in self._lent.values() if keeper in lent)

    async def close(self, wait: Callable[[anyio.Event], Awaitable[None]]) -> None:
        """Close all, one after another, and wait for each, by a function that nothing interrupts."""
        self._is_closing = True
        if self._lent:
            self._timers.at(self._loop.now() + self._grace, self._lose_patience)
        self._apply_limit()
        for keeper in list(self._keepers.values()):
            if not keeper.settled.is_set():
                keeper.give_up()
                await wait(keeper.ended)
        # Those that threads use come last: waiting for these is not to take the time in which the others, which never
        # need them, have to be closed.
        last_first = [*reversed(self._keepers.values())]
        for keeper in sorted(last_first, key=lambda keeper: bool(self._users(keeper))):
            while self._is_patient and self._users(keeper) and not keeper.ended.is_set():
                self._returned = anyio.Event()
                await wait(self._returned)
            self._let_close(keeper)
            await wait(keeper.ended)

    def _let_close(self, keeper: Keeper) -> None:
        keeper.may_close.set()
        users = self._users(keeper)
        if users and not keeper.ended.is_set():
            # What holds a scope or a task group open cannot be left so: these have to be left by the task that ends.
            keeper.is_left_open = self._loop.is_innermost(keeper)
            what = "is left open" if keeper.is_left_open else "holds a scope or a task group, and is closed"
            named = ", ".join(users)
            whose = f"the thread of {named} uses" if len(users) == 1 else f"the threads of {named} use"
            _logger.warning("%s %s while %s it still", keeper.resource, what, whose)
        if not keeper.is_left_open:
            self._bound(keeper)

    def _lose_patience(self) -> None:
        self._is_patient = False
        self._returned.set()

    @property
    def are_closed(self) -> bool:
        """Whether nothing is left of any."""
        return all(keeper.ended.is_set() for keeper in self._keepers.values())

    def limit(self, at: float, *, hurried: bool = False) -> None:
        """Bound the closing of all by a time of the loop's clock. The earliest such time counts."""
        if at < self._ends_at:
            self._ends_at = at
            self._ends = "before the run was hurried" if hurried else f"within the grace of {self._grace} s"
            self._apply_limit()

    def _apply_limit(self) -> None:
        if self._is_closing and self._ends_at < math.inf and not self.are_closed:
            self._timers.at(self._ends_at + self._grace, self._name_the_rest)
            if self._lent:
                self._timers.at(self._ends_at, self._lose_patience)
            for keeper in self._keepers.values():
                if not self._users(keeper):
                    self._bound(keeper)

    def _bound(self, keeper: Keeper) -> None:
        if keeper.scope is not None:
            keeper.scope.deadline = self._ends_at

    def _name_the_rest(self) -> None:
        for keeper in self._keepers.values():
            if not keeper.ended.is_set() and keeper.may_close.is_set():
                _logger.warning("still waiting for %s, which did not end when cancelled", keeper.resource)

    # -- the task of one ---------------------------------------------------------------------------------------------

    async def _keep(self, keeper: Keeper) -> None:
        self._loop.occupy(keeper)
        try:
            steps = await self._opened(keeper)
            if steps is not None:
                await self._close(keeper, steps)
            if self._loop.is_innermost(keeper):
                keeper.scope.__exit__(None, None, None)
        finally:
            self._given.pop(keeper.resource, None)
            if keeper.is_given_up:
                self._keepers.pop(keeper.resource, None)
            keeper.ended.set()
            self._loop.leave()

    async def _opened(self, keeper: Keeper) -> AsyncSteps | None:
        """Open it, put its value where bodies find it and return its generator; None if that came to nothing."""
        resource = keeper.resource
        if keeper.is_given_up:
            keeper.scope.cancel()
        try:
            for each in resource.needs:
                await self.open(each)
            generator = resource.open(self._given)
            self._spare(generator)
            steps = AsyncSteps(generator, copy_context())
            try:
                value = await steps.send(None)
            except Ended:
                raise ResourceError(str(resource), "yielded nothing; it has to yield its value, once") from None
        except BaseException as raised:
            del self._keepers[resource]
            self._settle_badly(keeper, raised)
            return None
        if keeper.is_given_up:
            keeper.may_close.set()  # it would not hear that nobody wants it any more
        else:
            # Now it is the last one: what it needs came before, though it was asked for later.
            self._keepers[resource] = self._keepers.pop(resource)
            self._given[resource] = value
        keeper.settle(None)
        return steps

    def _settle_badly(self, keeper: Keeper, raised: BaseException) -> None:
        error = real_error(raised, self._loop.cancelled)
        if error is None and not keeper.is_given_up:
            error = ResourceError(str(keeper.resource), "ended as cancelled before it yielded; nothing here stopped it")
        if isinstance(error, Exception):
            if not isinstance(error, ResourceError):
                add_note(error, f"when {keeper.resource} was opened")
            if keeper.is_given_up:
                _logger.error("%s raised when its opening was cancelled", keeper.resource, exc_info=error)
        elif error is not None:
            self._on_fatal(error)
        keeper.settle(error)

    async def _close(self, keeper: Keeper, steps: AsyncSteps) -> None:
        """Hold it until it may close, or is interrupted, and close it."""
        try:
            await keeper.may_close.wait()
            if keeper.is_left_open:
                _left_open.append(steps)
                return
            step = steps.send(None)
        except BaseException as error:
            step = steps.throw(error)
        is_early = not keeper.may_close.is_set() and not keeper.scope.cancel_called
        raised: BaseException | None = None
        problem: str | None = None
        try:
            await step
            problem = "yielded a second time; it has to yield its value once, and to close it after that"
        except Ended:
            pass
        except BaseException as error:
            raised = error
        if problem is not None:
            await self._drop(keeper, steps)
        elif raised is not None or is_early:
            raised = None if raised is None else real_error(raised, self._loop.cancelled)
            problem = self._problem(keeper, raised, is_early=is_early)
        elif not self._loop.is_intact(keeper) and not keeper.scope.cancel_called:
            problem = "left a cancel scope open, or cancelled its own task; close what it opens"
        if is_early:
            # Who asks for it from now on is told, and gets no second one.
            keeper.error = ResourceError(str(keeper.resource), "is there no more: it ended while it was in use")
        if raised is not None and not isinstance(raised, Exception):
            self._on_fatal(raised)
        elif problem is not None:
            self._note_trouble(keeper, problem, raised, is_early=is_early)

    def _problem(self, keeper: Keeper, raised: BaseException | None, *, is_early: bool) -> str | None:
        if raised is not None:
            when = "while it was in use" if is_early else "when it was closed"
            leaves = [f"{type(leaf).__name__}: {words_of(leaf)}" for leaf in leaf_exceptions(raised)]
            more = f" and {len(leaves) - _LEAVES_SHOWN} more" if len(leaves) > _LEAVES_SHOWN else ""
            return f"raised {when}: {'; '.join(leaves[:_LEAVES_SHOWN])}{more}"
        if is_early:
            return "ended while it was in use; a scope or a task group around its `yield` was cancelled"
        if keeper.is_given_up:
            return None
        if keeper.scope.cancel_called:
            return f"was not closed {self._ends}"
        return "ended as cancelled when it was closed; nothing here stopped it"

    async def _drop(self, keeper: Keeper, steps: AsyncSteps) -> None:
        """End a generator that should have ended by itself."""
        try:
            await steps.close()
        except BaseException as error:
            if real_error(error, self._loop.cancelled) is not None:
                _logger.exception("%s raised when it was dropped", keeper.resource)

    def _note_trouble(self, keeper: Keeper, problem: str, raised: BaseException | None, *, is_early: bool) -> None:
        trouble = ResourceError(str(keeper.resource), problem)
        trouble.__cause__ = raised
        self.troubles.append(trouble)
        if is_early:
            self._on_crash(trouble)

    def log_troubles(self) -> None:
        """Tell what went wrong where the error of the run has no place for it."""
        for trouble in self.troubles:
            _logger.error("%s", trouble, exc_info=trouble)
