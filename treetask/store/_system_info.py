"""What a machine has, by the standard library alone: processors, memory, the disk of the current folder. In bytes."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from treetask._errors import did_you_mean

#: What may be asked for, beside all of it.
_RESOURCES: Final = ("cpu", "memory", "disk")
#: Seconds after which a program of the system that tells about it is given up.
_PATIENCE: Final = 10
_MEMINFO: Final = Path("/proc/meminfo")
_CPUINFO: Final = Path("/proc/cpuinfo")


def system_info(resource: str) -> dict[str, Any]:
    """Return what there is to know of `cpu`, `memory` or `disk`, or of `all` three by their names.

    What the system does not tell is None. Raises `ValueError` for anything else.
    """
    facts = {"cpu": _cpu, "memory": _memory, "disk": _disk}
    if resource == "all":
        return {name: fact() for name, fact in facts.items()}
    if resource not in facts:
        raise ValueError(f"resource is {resource!r}; expected one of 'cpu', 'memory', 'disk', 'all'" + _hint(resource))
    return facts[resource]()


def _hint(resource: object) -> str:
    hint = did_you_mean(resource, [*_RESOURCES, "all"]) if isinstance(resource, str) else ""
    return hint if "did you mean" in hint else ""


def _cpu() -> dict[str, Any]:
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "brand": _brand(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": None if load is None else list(load),
    }


def _brand() -> str | None:
    if sys.platform == "darwin":
        return _said_by("sysctl", "-n", "machdep.cpu.brand_string")
    if _CPUINFO.exists():
        match = re.search(r"^model name\s*: (.+)$", _text_of(_CPUINFO), re.MULTILINE)
        return None if match is None else match[1].strip()
    return platform.processor() or None


def _memory() -> dict[str, Any]:
    total, available = _total_and_available()
    used = None if total is None or available is None else total - available
    return {
        "system": platform.system(),
        "total": total,
        "available": available,
        "used": used,
        "used_percent": None if used is None or not total else round(100 * used / total, 1),
    }


def _total_and_available() -> tuple[int | None, int | None]:
    if sys.platform == "win32":
        return _memory_on_windows()
    if sys.platform == "darwin":
        return _memory_on_macos()
    lines = re.findall(r"^(\w+):\s+(\d+) kB$", _text_of(_MEMINFO), re.MULTILINE)
    found = {name: int(number) * 1024 for name, number in lines}
    if "MemTotal" in found:
        return found["MemTotal"], found.get("MemAvailable", found.get("MemFree"))
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None
    except (ValueError, OSError):
        return None, None


def _memory_on_macos() -> tuple[int | None, int | None]:
    total = _said_by("sysctl", "-n", "hw.memsize")
    said = _said_by("vm_stat") or ""
    page = re.search(r"page size of (\d+) bytes", said)
    pages = dict(re.findall(r"^Pages ([\w ]+):\s+(\d+)\.$", said, re.MULTILINE))
    free = [int(pages[name]) for name in ("free", "inactive", "speculative") if name in pages]
    available = sum(free) * int(page[1]) if page is not None and free else None
    return (int(total) if total is not None and total.isdecimal() else None), available


if sys.platform == "win32":

    def _memory_on_windows() -> tuple[int | None, int | None]:
        import ctypes
        import struct

        # MEMORYSTATUSEX: its length and the load, then numbers of bytes, of which the first two are wanted.
        status = ctypes.create_string_buffer(struct.pack("<I60x", 64), 64)
        if not ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(status):
            return None, None
        total, available = struct.unpack_from("<QQ", status.raw, 8)
        return int(total), int(available)


def _disk() -> dict[str, Any]:
    here = Path.cwd()
    usage = shutil.disk_usage(here)
    return {
        "path": here.anchor,
        "total": usage.total,
        "used": usage.used,
        "available": usage.free,
        "used_percent": round(100 * usage.used / usage.total, 1) if usage.total else None,
    }


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _said_by(*command: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - commands of ours
            command, capture_output=True, check=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() or None
