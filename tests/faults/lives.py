"""Lives of a pipeline: processes that run it, each gone on with by the next. Imported once, and forked for every life.

A line on standard input begins a life: the URL of the store, the file for notes, a seed, and after how many statements
it ends itself (0: never). Its process number comes back, and when it has ended, how.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from tests.faults.pipeline import Notes, declared
from treetask import AsyncExecutor, TreeTaskConfig
from treetask.store import Connection, RunOwnedError, Store
from treetask.store._sqlite import SQLiteConnection

#: How a life ends that finds the run in the hands of another.
NOT_OURS = 3

ROOT = Path(__file__).resolve().parents[2]


def live(url: str, notes_path: str, seed: int, statements: int, loop: str) -> None:
    """Begin a run in the store, or go on with the one that is there, and note what it comes to."""
    if statements:
        end_after(statements)
    notes = Notes(Path(notes_path))
    tree = declared(notes, seed).build(TreeTaskConfig(max_concurrency=1 + seed % 7, max_threads=2))
    with Store(url) as store:
        executor = AsyncExecutor(tree, store=store.resume() if store.runs() else store)
        executor.subscribe(notes)
        notes.add("life", str(os.getpid()))
        anyio.run(executor.run, backend=loop)
    total = tree.find("night/total")
    assert total is not None
    notes.add("total", str(total.result))


def end_after(statements: int) -> None:
    """Have this process killed before one of its statements, whichever thread and connection it is on."""
    lock = threading.Lock()
    kinds: list[type[Connection]] = [SQLiteConnection]
    if "psycopg" in sys.modules:
        from treetask.store._postgresql import PostgreSQLConnection

        kinds.append(PostgreSQLConnection)
    left = statements

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object) -> object:
            nonlocal left
            with lock:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments)

        return call

    for kind in kinds:
        for name in ("execute", "rows", "row", "insert_new"):
            setattr(kind, name, counted(getattr(kind, name)))


class Lives:
    """Forks lives, of which one runs at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.lives"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def begin(self, url: str, notes: Path, seed: int, *, statements: int = 0, loop: str = "asyncio") -> int:
        """Begin a life; return the number of its process."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{url}\t{notes}\t{seed}\t{statements}\t{loop}\n".encode())
        self._process.stdin.flush()
        return self._read()

    def end(self) -> int:
        """Wait for the end of a life; return 0 if all went well, -9 if it was killed."""
        return self._read()

    def close(self) -> None:
        """End them all."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _read(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def main() -> None:
    """Fork a life for every line."""
    importlib.import_module("psycopg")  # so that no life has to

    for line in sys.stdin:
        url, notes, seed, statements, loop = line.rstrip("\n").split("\t")
        pid = os.fork()
        if not pid:
            code = 1
            try:
                live(url, notes, int(seed), int(statements), loop)
                code = 0
            except RunOwnedError:
                code = NOT_OURS
            except BaseException:  # noqa: BLE001 - told, and then this process is over
                traceback.print_exc()
            finally:
                os._exit(code)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
