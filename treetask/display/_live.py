"""`LiveDisplay`: when a tree is looked at, when it is shown, and what happens when the display itself fails.

On a terminal a region is painted (`_screen`), elsewhere lines are written (`_plain`); this module knows neither rows
nor escape sequences. Trees are read in `update`, on the thread that runs them, at most once in `refresh_interval`. A
thread of the display shows the copies, and asks the event loop for another look where an `update` came too early and
none came after it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Final, TextIO

from typing_extensions import Self

from treetask import _clock
from treetask.display._decisions import may_animate
from treetask.display._loop import CallSoon, running_loop
from treetask.display._region import is_painted_on
from treetask.display._terminal import Terminal
from treetask.display._theme import Theme, theme_for
from treetask.model import TaskTree, TreeTaskConfig

if TYPE_CHECKING:
    from treetask.display._capture import Capture
    from treetask.display._face import Face
    from treetask.display._prints import Said
    from treetask.display._renderer import TreeRenderer

#: The least time between two frames, in seconds, whatever the config says: nobody sees more.
_SHORTEST_BEAT: Final = 0.02
#: Looking at a tree may take this part of the time at most.
_LOOKING_SHARE: Final = 0.05
#: How long leaving the `with` block waits for a frame that is being written, in seconds.
_JOIN_SECONDS: Final = 1.0


class LiveDisplay:
    """Shows a tree while it runs: live on a terminal, as lines of a log elsewhere and in builds (`CI` is set).

    Use it as a context manager around the run, with `update` as the executor's `on_update`; call `finalize` afterwards.
    Within the block the times go on while a body blocks the event loop. The live rows vanish at the end of the block,
    so that `finalize` can put the whole tree there; after an exception they are replaced by it at once. Without the
    block `update` paints by itself.

    `update` is called on the thread that runs the tree, `print_message` on any. `output` is stderr unless given; a
    config is the renderer's, or the tree's, unless given.
    """

    #: Whether live rows were asked for by name.
    _animates: ClassVar[bool] = False

    def __init__(
        self,
        renderer: TreeRenderer | None = None,
        config: TreeTaskConfig | None = None,
        output: TextIO | None = None,
    ) -> None:
        if config is not None and not isinstance(config, TreeTaskConfig):
            raise TypeError(f"LiveDisplay: config is {config!r}; expected a TreeTaskConfig")
        if renderer is not None:
            _refuse_no_renderer(renderer)
        self.config: TreeTaskConfig | None = (
            (None if renderer is None else renderer.config) if config is None else config
        )
        self._renderer = renderer
        self._terminal = Terminal(sys.stderr if output is None else output)
        self._has_colours = self._terminal.wants_colours()
        #: Says the number of the run, where it is on record.
        self._run: Callable[[], int | None] | None = None
        self._clock: Callable[[], float] = _clock.monotonic
        self._chosen: Face | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._tree: TaskTree | None = None
        self._depth: int | None = None
        #: No look at the tree before this time.
        self._due = float("-inf")
        #: An update came too early, so the tree may have changed since it was last looked at.
        self._missed = False
        #: The event loop has been asked for a look.
        self._asked = False
        self._loop: CallSoon | None = None
        #: What shows the prints of bodies above the rows.
        self._capture: Capture | None = None
        #: What was printed for good last: tree, version and how.
        self._final: tuple[object, ...] = ()

    @property
    def renderer(self) -> TreeRenderer:
        """What renders the final tree."""
        if self._renderer is None:
            from treetask.display._renderer import TreeRenderer

            self._renderer = TreeRenderer(self.config)
        return self._renderer

    @renderer.setter
    def renderer(self, renderer: TreeRenderer) -> None:
        _refuse_no_renderer(renderer)
        self._renderer = renderer

    # -- the printed API -------------------------------------------------------------------------------------------

    def update(
        self,
        tree: TaskTree,
        max_depth: int | None = None,
        force: bool = False,  # noqa: FBT001, FBT002 - the printed API
    ) -> None:
        """Take note of a change. Cheap: the tree is looked at, at most, once in the config's `refresh_interval`.

        `max_depth` limits the levels below the root that open, by default to the config's `default_max_depth`. With
        `force` the tree is looked at and shown before this returns.
        """
        if self._is_over(tree):
            return
        if tree is not self._tree:
            self._turn_to(tree)
        self._depth = max_depth
        if not force and self._clock() < self._due:
            self._missed = True
            return
        self._look()
        if force or self._thread is None:
            self._show()

    def finalize(
        self,
        tree: TaskTree,
        max_depth: int | None = None,
        show_stats: bool = True,  # noqa: FBT001, FBT002 - the printed API
    ) -> None:
        """Print the final tree for good, in place of the live rows. The same tree is not printed twice in a row.

        `max_depth` limits the levels below the root that open, by default to the config's `final_max_depth`.
        """
        depth = self._config_for(tree).final_max_depth if max_depth is None else max_depth
        final = (tree, tree.version, depth, show_stats)
        if final == self._final:
            return
        text = self.renderer.render(tree, depth, show_stats)
        self._end(tree, final)
        self._face.finish(tree, self._face.theme.fit(text))

    def clear(self) -> None:
        """Take the live rows away; the next update shows them again."""
        self._face.clear()

    def print_message(self, message: str) -> None:
        """Print a message above the live rows, for good. Each of its lines is made safe to be shown."""
        lines = [self._face.theme.text(line) for line in message.expandtabs().splitlines() or [""]]
        self._try(lambda: self._face.say(lines, self._clock()))

    def hide_cursor(self) -> None:
        """Hide the terminal's cursor; the end of the process shows it again in any case."""
        self._face.hide_cursor()

    def show_cursor(self) -> None:
        """Show the terminal's cursor again; outside of a `with` block this ends the live rows, as its end does."""
        if self._thread is None:
            self._face.clear()
        self._face.show_cursor()

    def paints_on(self, stream: TextIO) -> bool:
        """Whether what is written to a stream appears where live rows are painted."""
        return self._face.paints and self._terminal.is_same_as(Terminal(stream))

    def __enter__(self) -> Self:
        self._final = ()
        self.hide_cursor()
        if self._thread is None:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._beat, args=(self._stop,), name="treetask-display", daemon=True)
            self._thread.start()
        self._begin_capture()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end_capture()
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)
        try:
            tree = self._tree
            if tree is not None and kind is not None and self._final[:2] != (tree, tree.version):
                self._try(lambda: self.finalize(tree))
            elif self._missed and not self._face.paints:
                self._look()
                self._show()
        finally:
            self.show_cursor()

    # -- what is printed meanwhile -----------------------------------------------------------------------------------

    def _begin_capture(self) -> None:
        """Show above the rows what is printed on their terminal: else it would be painted over."""
        if self._capture is None and self._face.paints:
            from treetask.display._capture import Capture

            self._capture = Capture(self.paints_on, self._show_said)
            self._capture.begin()

    def _end_capture(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.end()

    def _show_said(self, said: list[Said], begun: Said | None) -> None:
        from treetask.display._said import begun_line, said_lines

        lines = said_lines(said, self._face.theme)
        self._face.begun = begun_line(begun, self._face.theme, self._terminal.size().columns - 1)
        self._try(lambda: self._face.say(lines, self._clock()))

    # -- the face ----------------------------------------------------------------------------------------------------

    @property
    def _face(self) -> Face:
        if self._chosen is None:
            self._chosen = self._choose()
        return self._chosen

    def _choose(self) -> Face:
        """Return the face for the output; a second region on one terminal would paint over the first."""
        is_free = self._terminal.can_paint and not is_painted_on(self._terminal)
        if is_free and may_animate(os.environ, asked_for=self._animates):
            from treetask.display._screen import Screen

            return Screen(self._terminal, self._theme_for(None))
        from treetask.display._plain import PlainLog

        return PlainLog(self._terminal, self._theme_for(None), self._run)

    def _theme_for(self, tree: TaskTree | None) -> Theme:
        terminal = self._terminal
        return theme_for(
            self._config_for(tree),
            terminal.narrow_encoding,
            has_pictures=terminal.has_pictures,
            has_colours=self._has_colours,
        )

    def _config_for(self, tree: TaskTree | None) -> TreeTaskConfig:
        if self.config is not None:
            return self.config
        return TreeTaskConfig() if tree is None else tree.config

    def _try(self, step: Callable[[], None]) -> None:
        """Do one step. If the display fails, that is logged, a simpler one takes over, and the run goes on."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is, a display must not end a run
            from treetask.display._plain import PlainLog
            from treetask.display._silence import Silence

            failed = self._face
            simpler = PlainLog if failed.paints else Silence
            self._chosen = simpler(self._terminal, failed.theme)
            self._gave_way()
            unsaid = failed.abandon()
            _log_failure(failed, self._chosen, error)
            if unsaid:
                self._try(lambda: self._face.say(unsaid, self._clock()))

    def _gave_way(self) -> None:
        """Take note that a simpler face has taken over."""

    # -- looking and showing ---------------------------------------------------------------------------------------

    def _turn_to(self, tree: TaskTree) -> None:
        """Show this tree from now on."""
        if not isinstance(tree, TaskTree):
            raise TypeError(f"LiveDisplay shows a TaskTree, not {tree!r}")
        self._tree = tree
        self._due = float("-inf")
        self._face.theme = self._theme_for(tree)

    def _is_over(self, tree: TaskTree) -> bool:
        """Whether a tree has been printed for good: a late update would begin a new region below it."""
        return bool(self._final) and self._final[0] is tree and tree.root.status.is_terminal

    def _end(self, tree: TaskTree, final: tuple[object, ...]) -> None:
        if tree is not self._tree:
            self._turn_to(tree)
        self._missed = False
        self._final = final

    def _look(self) -> None:
        """Copy what is to be shown of the tree; on the thread that runs it."""
        tree = self._tree
        if tree is None:
            return
        self._missed = self._asked = False
        self._loop = running_loop()
        config = self._config_for(tree)
        depth = config.default_max_depth if self._depth is None else self._depth
        before = self._clock()
        self._try(lambda: self._face.take(tree, depth, before))
        after = self._clock()
        self._due = after + max(config.refresh_interval, (after - before) / _LOOKING_SHARE)

    def _show(self) -> None:
        self._try(lambda: self._face.show(self._clock()))

    def _beat(self, stop: threading.Event) -> None:
        """Show what was copied, again and again, so that times go on; in a thread of its own."""
        while not stop.wait(max(_SHORTEST_BEAT, self._config_for(self._tree).refresh_interval)):
            self._missed = self._missed or self._shows_what_grows
            if self._missed and not self._asked and self._clock() >= self._due:
                self._ask()
            self._show()

    @property
    def _shows_what_grows(self) -> bool:
        """Whether something is shown whose changes no update tells."""
        return False

    def _ask(self) -> None:
        """Ask the event loop for a look at the tree."""
        self._asked = True
        self._call_on_loop(self._look_again)

    def _call_on_loop(self, act: Callable[[], None]) -> None:
        if self._loop is None:
            return
        try:
            self._loop(act)
        except RuntimeError:
            # That loop is closed, and with it the run.
            self._loop = None

    def _look_again(self) -> None:
        if self._missed and self._thread is not None:
            self._look()


def _refuse_no_renderer(renderer: object) -> None:
    from treetask.display._renderer import TreeRenderer

    if not isinstance(renderer, TreeRenderer):
        raise TypeError(f"LiveDisplay: renderer is {renderer!r}; expected a TreeRenderer")


def _log_failure(failed: Face, successor: Face, error: Exception) -> None:
    import logging

    names = type(failed).__name__, type(successor).__name__
    logging.getLogger("treetask").error("the display %s failed; %s goes on", *names, exc_info=error)
