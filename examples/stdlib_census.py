"""A census of Python's standard library: what its packages are made of, with a task for each source file.

    python -m treetask examples/stdlib_census.py:tree

A package is a group that yields a task for each of its files and a group for each package inside it, so the tree grows
to the shape of the library while it runs. Files are parsed in worker threads; what they found adds up on the way back.
"""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from treetask import JOIN, Child, Registry, Return, Spawns

LIBRARY = Path(sysconfig.get_path("stdlib"))

tree = Registry("census", name="Census of the standard library")


@dataclass(frozen=True, order=True)
class Function:
    """A function by its length; of two, the longer one is the greater."""

    lines: int = 0
    name: str = ""


@dataclass(frozen=True)
class Count:
    """What was found in one file, or in many of them added up."""

    files: int = 0
    unreadable: int = 0
    lines: int = 0
    classes: int = 0
    functions: int = 0
    longest: Function = Function()

    def __add__(self, other: Count) -> Count:
        return Count(
            files=self.files + other.files,
            unreadable=self.unreadable + other.unreadable,
            lines=self.lines + other.lines,
            classes=self.classes + other.classes,
            functions=self.functions + other.functions,
            longest=max(self.longest, other.longest),
        )


@tree.group
async def library() -> Spawns[Count]:
    """Count all of it and print the table."""
    # Some of the library's test data is wrong on purpose, and Python would warn of that.
    warnings.simplefilter("ignore", SyntaxWarning)
    packages = {folder.name: package.child(folder) for folder in packages_in(Path())}
    modules = [source.child(file) for file in files_in(Path())]
    yield [*packages.values(), *modules]
    yield JOIN
    rows = {name: child.result for name, child in packages.items()}
    rows["(modules)"] = added_up(modules)
    print_table(rows)
    yield Return(sum(rows.values(), Count()))


@tree.group
async def package(folder: Path) -> Spawns[Count]:
    """Count one package, with the packages inside it."""
    parts = [source.child(file) for file in files_in(folder)]
    parts += [package.child(inner) for inner in packages_in(folder)]
    yield parts
    yield JOIN
    yield Return(added_up(parts))


@tree.task
def source(file: Path) -> Count:
    """Count one file; a plain function, so it runs in a worker thread."""
    text = (LIBRARY / file).read_bytes()
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError):
        return Count(files=1, unreadable=1)
    nodes = list(ast.walk(module))
    functions = [
        Function((node.end_lineno or node.lineno) - node.lineno + 1, node.name)
        for node in nodes
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    return Count(
        files=1,
        lines=len(text.splitlines()),
        classes=sum(isinstance(node, ast.ClassDef) for node in nodes),
        functions=len(functions),
        longest=max(functions, default=Function()),
    )


def packages_in(folder: Path) -> list[Path]:
    """The folders inside a folder of the library that can be imported from: site-packages, say, cannot."""
    inner = sorted(path for path in (LIBRARY / folder).iterdir() if path.is_dir() and path.name.isidentifier())
    return [path.relative_to(LIBRARY) for path in inner if any(path.rglob("*.py"))]


def files_in(folder: Path) -> list[Path]:
    """The Python files in a folder of the library."""
    return [path.relative_to(LIBRARY) for path in sorted((LIBRARY / folder).glob("*.py"))]


def added_up(children: Iterable[Child[Count]]) -> Count:
    """What children that are done found together."""
    return sum((child.result for child in children), Count())


def print_table(rows: Mapping[str, Count]) -> None:
    """Print a line for each package, the biggest first, and the sum of all."""
    print(f"{'package':15}{'files':>6}{'lines':>9}{'classes':>8}{'functions':>10}  longest function")
    total = sum(rows.values(), Count())
    ordered = sorted(rows.items(), key=lambda row: row[1].lines, reverse=True)
    for name, count in [*ordered, ("all", total)]:
        numbers = f"{count.files:>6,}{count.lines:>9,}{count.classes:>8,}{count.functions:>10,}"
        longest = f"{count.longest.name}, {count.longest.lines} lines" if count.functions else ""
        print(f"{name:15}{numbers}  {longest}".rstrip())
    print(f"{total.unreadable} files could not be parsed")


if __name__ == "__main__":
    tree.run_sync()
