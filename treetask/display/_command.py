"""The display of a command: what the command line asks of one, and no program does.

Keys, answers that are typed, other clocks, an end without the whole tree and a way out for whoever ends the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TextIO

from treetask.display._live import LiveDisplay
from treetask.display._restore import restore_terminal
from treetask.display._theme import Theme
from treetask.model import TaskTree, TreeTaskConfig

if TYPE_CHECKING:
    from treetask.display._browsing import Browsing, Controls
    from treetask.display._keyboard import Keyboard
    from treetask.display._keys import Typed


class CommandDisplay(LiveDisplay):
    """A display that a person may use, not only see."""

    def __init__(
        self,
        config: TreeTaskConfig | None = None,
        output: TextIO | None = None,
        *,
        color: str = "auto",
        run: Callable[[], int | None] | None = None,
    ) -> None:
        super().__init__(config=config, output=output)
        self._has_colours = self._terminal.wants_colours(color)
        self._run = run
        #: The keys, where there are any, and what they have made of the display.
        self._keyboard: Keyboard | None = None
        self._browsing: Browsing | None = None

    @property
    def theme(self) -> Theme:
        """The signs and colours that its output gets."""
        return self._face.theme

    @property
    def paints(self) -> bool:
        """Whether it has live rows, which are painted again and again."""
        return self._face.paints

    def follow(self, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        """Go by the clocks of a run that is shown again, from the first update on: its seconds and its time of day.

        Live rows are painted by the machine's own all the same, however fast the other one goes.
        """
        from treetask.display._plain import PlainLog

        if not self._face.paints:
            self._clock = clock
        if isinstance(self._face, PlainLog):
            self._face.wall = wall

    def conclude(self, tree: TaskTree) -> None:
        """Leave the end of the tree behind as the live rows showed it: failures open, what ended well in one row each.

        What `finalize` is to a program, this is to a command, where a summary of what failed follows.
        """
        self._end(tree, (tree, tree.version))
        depth = self._config_for(tree).default_max_depth
        self._try(lambda: self._face.conclude(tree, depth))

    def wait_for_answer(self, answer: str | None) -> None:
        """Leave the terminal alone while something is typed into it, with None; the next call has what was typed.

        What is printed meanwhile waits, the answer is noted down behind its question.
        """
        capture = self._capture
        if answer is None:
            if capture is not None:
                capture.pause()
            self._face.is_asked = True
        else:
            self._face.is_asked = False
            if capture is not None:
                capture.resume(answer)

    def taker(self) -> Callable[[bytes], None] | None:
        """Return what shows whole lines above the rows, soon; None where no rows are painted."""
        return None if self._capture is None else partial(self._capture.add, None)

    def leave(self) -> None:
        """Leave the terminal as it was found and write below the rows what was still to be said above them.

        For whoever ends the process within the `with` block. May be called at any time, in a signal handler too.
        """
        said = [] if self._capture is None else self._capture.unsaid()
        restore_terminal()
        face = self._face
        lines = face.abandon()
        if said:
            from treetask.display._said import said_lines

            lines += said_lines(said, face.theme)
        if lines:
            self._terminal.write("".join(f"{line}\n" for line in lines))

    # -- keys -------------------------------------------------------------------------------------------------------

    def take_keys(self, fd: int, controls: Controls) -> None:
        """Obey keys of the terminal `fd` until `leave_keys`; where live rows are painted and we are in its foreground.

        `controls` is the run that they pause; an `AsyncExecutor` is such.
        """
        if self._keyboard is not None or not self._face.paints:
            return
        from treetask.display._browsing import Browsing
        from treetask.display._keyboard import Keyboard

        # There before the first key is: that may have been typed already.
        browsing = self._browsing = Browsing(controls)
        keyboard = Keyboard(fd, self._note_keys)
        if keyboard.open():
            self._keyboard = keyboard
            self._face.browse(browsing)
        else:
            self._browsing = None

    def _note_keys(self, typed: Sequence[Typed]) -> None:
        """Take keys; from any thread."""
        if self._browsing is not None:
            self._browsing.note(typed)
            self._call_on_loop(self._obey)

    def leave_keys(self) -> bytes:
        """Obey keys no more: the terminal is as it was, and the rows are the display's own choice again.

        Returns what was typed and no key of ours. From any thread.
        """
        keyboard, self._keyboard = self._keyboard, None
        if keyboard is not None:
            keyboard.close()
        browsing, self._browsing = self._browsing, None
        if browsing is None:
            return b""
        self._face.browse(None)
        self._missed = True
        return browsing.left_over()

    def hide_cursor(self) -> None:
        super().hide_cursor()
        if self._keyboard is not None:
            self._keyboard.resume()

    def _gave_way(self) -> None:
        self.leave_keys()

    @property
    def _shows_what_grows(self) -> bool:
        return self._browsing is not None and self._browsing.follows

    def _obey(self) -> None:
        """Look at once, since somebody has pressed a key and waits."""
        if self._thread is not None and self._browsing is not None:
            self._look()
            self._show()
