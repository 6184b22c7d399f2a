"""Runs commands for bodies, in processes whose output is the log of the node.

What must stay true:
- Who stops waiting for a process ends it first, under a shield: its whole group is asked to end, is killed after the
  grace, and waited for. So nothing is left that nobody knows of.
- A process has ended when it has exited, not when its output has: what it left running in the background may keep the
  pipe open for ever. All that it wrote itself is in the pipe by then, and is read without waiting.
- The pipes are ours, not the event loop's: asyncio may tell of an exit only when all pipes that it made are closed.
- Processes live in the world's time. Virtual time stands still while one runs, and a thread measures the grace.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import anyio
import anyio.abc
import anyio.lowlevel

from treetask._errors import TreeRunningError, TreeTaskError
from treetask.engine._pipes import READS_IN_THREADS, LoopPipe, OutputPipe, ThreadPipe, fed_by_thread
from treetask.engine._step import current_node
from treetask.engine._threads import busy_threads
from treetask.model import LineCutter, ProcessOrder, ProcessResult, TaskNode, TaskTree, Words, left_behind, text_lines

if sys.platform == "win32":
    _NEW_GROUP: Final = subprocess.CREATE_NEW_PROCESS_GROUP
    #: What asks a group of processes to end.
    _ASK: Final = signal.CTRL_BREAK_EVENT
else:
    _NEW_GROUP: Final = 0
    _ASK: Final = signal.SIGTERM

#: Lines of a process's output that its failure tells.
_LAST_LINES: Final = 10
#: Characters of a command that a message shows.
_COMMAND_SHOWN: Final = 120
#: A shell reports a command that a signal ended by this and the signal's number.
_BY_SIGNAL: Final = 128


class ProcessFailed(TreeTaskError, subprocess.CalledProcessError):
    """A process that ended with another exit status than 0, or by a signal: `returncode` is its number, negative.

    `stdout` and `stderr` are what was captured, `last_lines` the end of what it put out.
    """

    def __init__(  # noqa: PLR0917 - all of them, by position, are what an exception is pickled by
        self,
        node_id: str,
        command: Words,
        returncode: int,
        stdout: bytes | None = None,
        stderr: bytes | None = None,
        last_lines: Sequence[str] = (),
    ) -> None:
        super().__init__(returncode, command, stdout, stderr)
        self.node_id = node_id
        self.last_lines = tuple(last_lines)
        if last_lines:
            # Displays show the log of the node; this is for tracebacks.
            self.__notes__ = ["\n".join(("its last lines:", *(f"  {line}" for line in last_lines)))]

    def __str__(self) -> str:
        return f"'{_shown(self.cmd)}' {_ending(self.returncode, in_shell=isinstance(self.cmd, str))}"


class Processes:
    """The processes of one run."""

    def __init__(self, tree: TaskTree, post: Callable[[Callable[[], None]], None], grace: float) -> None:
        self._tree: Final = tree
        self._post: Final = post
        self._grace = grace
        self._running: Final[set[_Process]] = set()

    async def run(self, node: TaskNode, order: ProcessOrder) -> ProcessResult:
        """Run a process for the body of a node; see `TaskNode.run_process`."""
        is_given_up = _refuse_strangers(node)
        process = _Process(self, node, order, is_given_up)
        self._running.add(process)
        try:
            return await process.run()
        finally:
            self._running.discard(process)

    def stop_given_up(self) -> None:
        """End the processes of bodies whose threads were given up."""
        for process in list(self._running):
            if process.is_given_up():
                process.scope.cancel()

    def hurry(self) -> None:
        """Kill those that were asked to end, and have no more patience with others."""
        self._grace = 0.0
        for process in list(self._running):
            if process.grace is not None:
                process.grace.cancel()

    def kill(self) -> None:
        """Kill all of them, without waiting for it; from signal handlers, too."""
        for process in list(self._running):
            process.kill()

    def log(self, node: TaskNode, lines: bytes) -> None:
        """Add lines to a node's log."""
        self._tree.apply_log(node, lines)

    def pipe(self, take: Callable[[bytes], None]) -> OutputPipe:
        """Return a pipe that hands on to `take` what is written to it."""
        return ThreadPipe(take, self._post, self._within) if READS_IN_THREADS else LoopPipe(take)

    @contextmanager
    def grace(self) -> Generator[anyio.CancelScope, None, None]:
        """Return the scope of what gets the grace and no more."""
        with self._within(self._grace) as scope:
            yield scope

    @contextmanager
    def _within(self, seconds: float) -> Generator[anyio.CancelScope, None, None]:
        """Cancel what is inside after some seconds of the world's time."""
        with anyio.CancelScope() as scope:
            timer = threading.Timer(seconds, self._post, [scope.cancel])
            timer.daemon = True
            timer.start()
            try:
                yield scope
            finally:
                timer.cancel()


def _refuse_strangers(node: TaskNode) -> Callable[[], bool]:
    """Refuse a caller that is not the running body of the node; return what says whether its thread was given up."""
    body = current_node.get(None)
    if body is not node:
        caller = "outside of a body" if body is None else f"by the body of '{body.id}'"
        raise TreeRunningError(f"node '{node.id}': run_process was called {caller}; only the node's own body may")
    thread = left_behind.get(None)
    is_given_up = thread[1] if thread is not None and thread[0] is node else bool
    if node._attempt is None or is_given_up():
        raise TreeRunningError(f"node '{node.id}': run_process works only while the node's body runs")
    return is_given_up


class _Output:
    """What a process writes: every line to the log, the last ones for its failure, and all of it where it is wanted."""

    def __init__(self, processes: Processes, node: TaskNode, *, is_captured: bool, last_lines: deque[bytes]) -> None:
        self._processes = processes
        self._node = node
        self._lines = LineCutter()
        self._chunks: list[bytes] | None = [] if is_captured else None
        self._last_lines = last_lines
        self.pipe = processes.pipe(self._take)

    @property
    def captured(self) -> bytes | None:
        return None if self._chunks is None else b"".join(self._chunks)

    def _take(self, chunk: bytes) -> None:
        if self._chunks is not None:
            self._chunks.append(chunk)
        self._log(self._lines.cut(chunk))

    def _log(self, lines: bytes) -> None:
        if lines:
            self._last_lines.extend(lines[:-1].rsplit(b"\n", _LAST_LINES)[-_LAST_LINES:])
            self._processes.log(self._node, lines)

    def close(self) -> None:
        self.pipe.close()
        self._log(self._lines.end())


class _Process:
    """One process, from before its start to after its end."""

    def __init__(
        self, processes: Processes, node: TaskNode, order: ProcessOrder, is_given_up: Callable[[], bool]
    ) -> None:
        self._processes: Final = processes
        self._node: Final = node
        self._order: Final = order
        self._outputs: Final[list[_Output]] = []
        self._last_lines: Final[deque[bytes]] = deque(maxlen=_LAST_LINES)
        self._process: anyio.abc.Process | None = None
        self.is_given_up: Final = is_given_up
        #: Cancelled for a body in a thread, whose own cancellation does not reach the process on every event loop.
        self.scope: Final = anyio.CancelScope()
        #: Cancelled when there is no more patience; None while nobody has asked the process to end.
        self.grace: anyio.CancelScope | None = None

    async def run(self) -> ProcessResult:
        """Run the process to its end and return how that was, or raise it."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        busy = busy_threads()
        busy.add(1)
        try:
            with self.scope:
                return self._outcome(await self._live())
        finally:
            busy.add(-1)
        raise TreeRunningError(f"node '{self._node.id}': the body was stopped, and its process with it")

    async def _live(self) -> int:
        try:
            try:
                process = await self._start()
            except OSError as error:
                raise _explained(error, self._order) from None
            try:
                async with anyio.create_task_group() as readers:
                    self._read(readers)
                    await process.wait()
                    readers.cancel_scope.cancel()
                for output in self._outputs:
                    await output.pipe.drain()
            except BaseException:
                await self._stop(process)
                raise
            assert process.returncode is not None
            return process.returncode
        finally:
            for output in self._outputs:
                output.close()

    async def _start(self) -> anyio.abc.Process:
        order = self._order
        with ExitStack() as ends:
            stdin = subprocess.DEVNULL
            if order.input is not None:
                stdin = fed_by_thread(order.input)
                ends.callback(os.close, stdin)
            stdout = self._new_output(ends)
            # One pipe for both keeps their lines in order.
            stderr = self._new_output(ends) if order.capture_output else subprocess.STDOUT
            # Shielded: else one that has started could be forgotten.
            with anyio.CancelScope(shield=True):
                self._process = await anyio.open_process(
                    order.words,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=order.cwd,
                    env=order.env,
                    # A group of its own can be ended as a whole. Ctrl-C does not reach it: a cancel does.
                    start_new_session=True,
                    creationflags=_NEW_GROUP,
                )
        assert self._process is not None
        return self._process

    def _new_output(self, ends: ExitStack) -> int:
        """Return the end of another pipe that the process is to write to; it is closed here with `ends`."""
        output = _Output(
            self._processes, self._node, is_captured=self._order.capture_output, last_lines=self._last_lines
        )
        self._outputs.append(output)
        ends.callback(os.close, output.pipe.write_end)
        return output.pipe.write_end

    def _read(self, readers: anyio.abc.TaskGroup) -> None:
        for output in self._outputs:
            readers.start_soon(output.pipe.read)

    async def _stop(self, process: anyio.abc.Process) -> None:
        """Ask the process and all it has started to end, and kill what is left after the grace."""
        with anyio.CancelScope(shield=True):
            try:
                self._signal(_ASK)
                with self._processes.grace() as self.grace:
                    # What they say at last is logged; and when nobody can say anything any more, all have ended.
                    async with anyio.create_task_group() as readers:
                        self._read(readers)
                        await process.wait()
            finally:
                self.kill()
                await self._reap(process)
            for output in self._outputs:
                await output.pipe.drain()

    @staticmethod
    async def _reap(process: anyio.abc.Process) -> None:
        """Wait for a process that was killed, whoever interrupts that: asyncio's own cancellations know no shield."""
        interruption: BaseException | None = None
        while process.returncode is None:
            try:
                await process.wait()
            except anyio.get_cancelled_exc_class() as error:
                interruption = error
        if interruption is not None:
            raise interruption

    def kill(self) -> None:
        """Kill the process, and where there are groups, its whole group."""
        if sys.platform != "win32":
            self._signal(signal.SIGKILL)
        elif self._process is not None:
            with suppress(OSError):
                self._process.kill()

    def _signal(self, number: int) -> None:
        # It may have ended, or may have become somebody else's, as programs with more rights do.
        with suppress(OSError):
            if self._process is None:
                return
            if sys.platform == "win32":
                self._process.send_signal(number)
            else:
                os.killpg(self._process.pid, number)

    def _outcome(self, returncode: int) -> ProcessResult:
        order = self._order
        stdout, stderr = (
            (self._outputs[0].captured, self._outputs[1].captured) if order.capture_output else (None, None)
        )
        if order.check and returncode:
            last_lines = text_lines(b"".join(line + b"\n" for line in self._last_lines))
            raise ProcessFailed(self._node.id, order.words, returncode, stdout, stderr, last_lines)
        return ProcessResult(order.words, returncode, stdout, stderr)


def _shown(command: Words) -> str:
    """Return a command on one line, as one would type it."""
    typed = command if isinstance(command, str) else shlex.join(os.fsdecode(word) for word in command)
    line = " ".join(typed.split())
    return line if len(line) <= _COMMAND_SHOWN else f"{line[: _COMMAND_SHOWN - 1]}…"


def _ending(returncode: int, *, in_shell: bool) -> str:
    if returncode < 0:
        return f"was killed by {_signal_name(-returncode) or f'signal {-returncode}'}"
    name = _signal_name(returncode - _BY_SIGNAL) if in_shell and returncode > _BY_SIGNAL else None
    return f"failed with exit status {returncode}{f', as after {name}' if name else ''}"


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None


def _explained(error: OSError, order: ProcessOrder) -> OSError:
    """Return the error of a process that did not start, with what is to be mended."""
    cwd = Path(os.fsdecode(order.cwd or ""))
    if order.cwd is not None and not cwd.is_dir():
        return type(error)(error.errno, "no such folder to run a process in", str(cwd))
    if isinstance(order.words, str) or not isinstance(error, FileNotFoundError):
        return error
    program = os.fsdecode(order.words[0])
    if os.sep not in program:
        path = (os.environ if order.env is None else order.env).get("PATH", os.defpath)
        reason = f"no such program in PATH ({path})"
    elif (cwd / program).exists():
        reason = "the program that its first line names does not exist"
    else:
        reason = "no such program"
    return FileNotFoundError(error.errno, reason, program)
