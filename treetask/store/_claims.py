"""Who distributes which tasks now: a claim on each of them, taken and given back as one.

A claim names its process. It holds while that process runs; on another host, where nobody can see that, for as long as
its heart beats. So tasks of a process that was killed can be distributed again, and no task runs twice at once.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Final

from treetask.store import _task_rows as task_rows
from treetask.store._dialect import Connection
from treetask.store._errors import RunOwnedError, StoreError
from treetask.store._process import Owner, current_process, is_alive
from treetask.store._task import TaskState, called

#: Seconds between two beats, and after how many without one an owner elsewhere is taken for dead.
BEAT: Final = 5.0
PATIENCE: Final = 30.0

#: Claims that this process has now. One in its name that is not among them is left over from an error.
_held: Final[set[str]] = set()

_WHO: Final = "select host, pid, process_started, claimed_at, heartbeat_at from claims where id = ?"
#: Those that are completed keep what they have; the others begin anew.
_TAKE: Final = (
    "update tasks set claim = ?, "
    + ", ".join(
        f"{name} = case when status = '{TaskState.COMPLETED}' then {name} else {anew} end"
        for name, anew in (
            *(("result", "null"), ("error", "null"), ("started_at", "null"), ("completed_at", "null")),
            *(("progress", "0.0"), ("updated_at", "?"), ("status", f"'{TaskState.PENDING}'")),
        )
    )
    + " where claim is null and id in "
)


def take(connection: Connection, root: str, ids: Sequence[str], now: float) -> str:
    """Claim tasks, all that are not completed made pending, and return the claim; in a transaction that has begun.

    `root` is what messages call the tree. Raises `RunOwnedError`, which names who has one of them.
    """
    # One claim at a time, so that two with tasks in common never wait for each other. SQLite has seen to it already.
    connection.execute("update meta set value = value where name = 'schema'")
    refuse_claimed(connection, root, ids)
    claim, owner = uuid.uuid4().hex, current_process()
    connection.insert(
        "claims",
        ("id", "root", "host", "pid", "process_started", "claimed_at", "heartbeat_at"),
        [(claim, root, owner.host, owner.pid, owner.started, now, now)],
    )
    for markers, part in task_rows.chunks(ids):
        if connection.execute(f"{_TAKE}({markers})", [claim, now, *part]) != len(part):
            refuse_claimed(connection, root, part)
            raise StoreError(f"{root}: some of its tasks have been deleted just now; load the tree again")
    _held.add(claim)
    return claim


def refuse_claimed(connection: Connection, what: str, ids: Sequence[str]) -> None:
    """Raise `RunOwnedError` if somebody has one of these tasks; take away what the dead have left."""
    found: set[str] = set()
    for markers, part in task_rows.chunks(ids):
        found |= {
            claim
            for (claim,) in connection.rows(
                f"select distinct claim from tasks where claim is not null and id in ({markers})", part
            )
        }
    for claim in sorted(found):
        _judge(connection, what, claim)
        _clear(connection, claim)


def _judge(connection: Connection, what: str, claim: str) -> None:
    """Raise `RunOwnedError` for a claim that holds."""
    row = connection.row(_WHO, [claim])
    if row is None:
        return
    host, pid, started, claimed_at, heartbeat_at = row
    owner = Owner(host, pid, started)
    holds = claim in _held if owner == current_process() else is_alive(owner)
    if holds is None:
        holds = time.time() - heartbeat_at < PATIENCE
    if holds:
        raise RunOwnedError(what, host, pid, claimed_at)


def _clear(connection: Connection, claim: str) -> None:
    connection.execute("update tasks set claim = null where claim = ?", [claim])
    connection.execute("delete from claims where id = ?", [claim])


def beat(connection: Connection, claim: str) -> None:
    """Say that the owner of a claim is alive. Raises `StoreError` if the claim was taken away."""
    if connection.execute("update claims set heartbeat_at = ? where id = ?", [time.time(), claim]) == 0:
        raise StoreError(
            f"store {connection.shown}: the tasks were taken over by another process, as this one gave no sign of life "
            f"for {PATIENCE:g} s"
        )


def release(connection: Connection, claim: str, ids: Sequence[str]) -> None:
    """Give tasks back. What is still in progress has an outcome that could not be written: it failed."""
    lost = "its outcome was lost: the store could not be written when it ended"
    for markers, part in task_rows.chunks(ids):
        connection.execute(
            f"update tasks set status = ?, error = ? where status = ? and claim = ? and id in ({markers})",
            [TaskState.FAILED.value, lost, TaskState.IN_PROGRESS.value, claim, *part],
        )
        connection.execute(f"update tasks set claim = null where claim = ? and id in ({markers})", [claim, *part])
    connection.execute("delete from claims where id = ?", [claim])
    forget(claim)


def forget(claim: str) -> None:
    """This process does nothing more for a claim, whether or not it could be given back."""
    _held.discard(claim)


def claimant(name: str, task_id: str) -> str:
    """Return what messages call the tree of a task."""
    return f"the tree of {called(name, task_id)}"
