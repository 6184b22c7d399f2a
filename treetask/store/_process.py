"""Who owns something in a store: a process, told from all others, and whether it still runs. Without psutil.

A number alone tells little, as systems use it again; with the time at which the process started it tells one process.
That time is whatever the system keeps fixed for the life of a process, on a clock of its own.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Where numbers of processes mean those of the whole machine: Linux gives that namespace this number.
_FIRST_NAMESPACE: Final = "pid:[4026531836]"

#: What Windows calls the rights to ask about a process and to wait for it, and their being refused.
_ASK: Final = 0x1000
_WAIT: Final = 0x100000
_ACCESS_DENIED: Final = 5


@dataclass(frozen=True, slots=True)
class Owner:
    """One process."""

    #: The name of its machine; in a container, also which one it is.
    host: str
    pid: int
    #: When it started, in seconds, by a clock that only its machine knows; 0 where that cannot be found out.
    started: float


def current_process() -> Owner:
    """Return this process. Not kept: a process that was forked is another one."""
    pid = os.getpid()
    return Owner(_host(), pid, _started(pid) or 0.0)


def is_alive(owner: Owner) -> bool | None:
    """Return whether a process runs; None for one of another host, which only that host knows."""
    if owner.host != _host():
        return None
    started = _started(owner.pid)
    if started is None:
        return False
    # Where the system does not tell when, one with that number is taken for it.
    return started == owner.started or 0.0 in {started, owner.started}


def _host() -> str:
    name = socket.gethostname()
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return name
    return name if namespace == _FIRST_NAMESPACE else f"{name} ({namespace})"


def _started(pid: int) -> float | None:
    """Return when a process started, 0 where only its being there is known; None if it does not run."""
    if sys.platform == "win32":
        return _started_on_windows(pid)
    if sys.platform == "darwin":
        return _started_on_macos(pid)
    if Path("/proc/self/stat").exists():
        return _started_on_linux(pid)
    return 0.0 if _is_there(pid) else None


def _started_on_linux(pid: int) -> float | None:
    """Since the machine was booted: that never changes, as the time of day at which it did would."""
    try:
        said = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name of the program comes before, in parentheses, and may hold anything.
    state, *numbers = said.rpartition(b")")[2].split()
    # One that has ended, and that its parent has not asked about, is still listed.
    return None if state in {b"Z", b"X"} else int(numbers[18]) / os.sysconf("SC_CLK_TCK")


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is somebody else's, so it is there
    return True


def _started_on_macos(pid: int) -> float | None:
    """Ask the kernel for its record of the process, which begins with the time of the start."""
    import ctypes

    # CTL_KERN, KERN_PROC, KERN_PROC_PID
    path = (ctypes.c_int * 4)(1, 14, 1, pid)
    record = ctypes.create_string_buffer(1024)
    size = ctypes.c_size_t(len(record))
    if ctypes.CDLL(None).sysctl(path, 4, record, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return 0.0 if _is_there(pid) else None
    if not size.value:
        return None
    seconds = int.from_bytes(record.raw[:8], sys.byteorder, signed=True)
    return seconds + int.from_bytes(record.raw[8:12], sys.byteorder, signed=True) / 1e6


if sys.platform == "win32":

    def _started_on_windows(pid: int) -> float | None:
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        found = kernel.OpenProcess(_ASK | _WAIT, 0, pid)
        if not found:
            return 0.0 if ctypes.get_last_error() == _ACCESS_DENIED else None
        handle = ctypes.c_void_p(found)
        try:
            if kernel.WaitForSingleObject(handle, 0) == 0:
                return None  # it has ended, and somebody holds a handle of it
            times = (ctypes.c_uint64 * 4)()
            places = [ctypes.byref(times, number * ctypes.sizeof(ctypes.c_uint64)) for number in range(4)]
            return times[0] / 1e7 if kernel.GetProcessTimes(handle, *places) else 0.0
        finally:
            kernel.CloseHandle(handle)
