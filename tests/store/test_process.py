"""Who owns something in a store: one process, told from every other, and whether it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from treetask.store._process import Owner, current_process, is_alive

SAYS_WHO = "from treetask.store._process import current_process as p; o = p(); print(repr(o.host), o.pid, o.started)"


def owner_of(process: subprocess.Popen[str]) -> Owner:
    """What a process says of itself."""
    assert process.stdout is not None
    host, pid, started = process.stdout.readline().rsplit(maxsplit=2)
    return Owner(host.strip("'"), int(pid), float(started))


def other_process(then: str) -> subprocess.Popen[str]:
    """A process that says who it is, and then does something."""
    return subprocess.Popen(
        [sys.executable, "-c", f"{SAYS_WHO}; import sys; sys.stdout.flush(); {then}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def test_process_knows_itself() -> None:
    """The same process twice is the same owner, and it is alive."""
    assert current_process() == current_process()
    assert current_process().pid == os.getpid()
    assert is_alive(current_process()) is True


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "waitid"), reason="no way to wait for an end and leave it listed")
def test_other_process_is_alive_until_it_ends() -> None:
    """Also one that its parent has not asked about since."""
    with other_process("sys.stdin.read()") as process:
        owner = owner_of(process)
        assert owner != current_process()
        assert is_alive(owner) is True

        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is still listed
        assert is_alive(owner) is False
        process.wait()
        assert is_alive(owner) is False


def test_process_with_a_number_used_again_is_dead() -> None:
    """The number is this process's, but the time of its start is not."""
    here = current_process()

    assert is_alive(replace(here, started=here.started - 1)) is False


def test_process_of_another_host_is_unknown() -> None:
    """Only its host could tell."""
    assert is_alive(replace(current_process(), host="elsewhere")) is None


def test_process_whose_start_nobody_knows_is_taken_for_its_number() -> None:
    """Where a system does not tell when a process started, its being there has to do."""
    assert is_alive(replace(current_process(), started=0.0)) is True
