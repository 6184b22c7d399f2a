"""The programs that the type checkers are shown: our own, and those of the printed surface where it is at hand."""

from __future__ import annotations

import os
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent

IGNORE = re.compile(r"  # (?:type: ignore|pyright: ignore)\[[^\]]*\]")
MARK = "  # refused: "


def own_programs() -> dict[str, str]:
    """Source by file name, without what is ignored on purpose."""
    names = ("example.py", "api.py", "must_fail.py")
    return {name: IGNORE.sub("", (HERE / name).read_text(encoding="utf-8")) for name in names}


def printed_programs() -> dict[str, str]:
    """The same of the printed surface, with our package for the stub."""
    folder = os.environ.get("TREETASK_SHARED")
    if folder is None:
        return {}
    names = ("example.py", "must_fail.py")
    sources = {f"printed_{name}": (Path(folder) / "dsl" / name).read_text(encoding="utf-8") for name in names}
    # What is refused by its name is not part of what must hold yet.
    return {
        name: source.replace("from treetask_stub import", "from treetask import").replace(', cache="inputs"', "")
        for name, source in sources.items()
    }


def marked_lines(source: str) -> set[int]:
    """The lines that a checker has to refuse."""
    return {number for number, line in enumerate(source.splitlines(), 1) if MARK in line}
