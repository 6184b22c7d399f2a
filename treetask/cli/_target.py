"""What a TARGET means: a module or a file, and an attribute in it. Imports nothing.

Also where a target comes from when none was given: the nearest pyproject.toml.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from treetask._errors import short_path
from treetask.cli._options import COMMANDS, RECORD_COMMANDS
from treetask.cli._problem import CommandProblem, closest

FORMS: Final = "module:attribute or path/file.py:attribute"

#: A pipeline to begin with: shown to whoever has none, and it runs as it is shown.
FIRST_PIPELINE: Final = """\
from treetask import Registry

tree = Registry("hello")

@tree.task
async def greet(node):
    node.progress = (1, 1)
    print("hello, tree")"""

_DRIVE: Final = re.compile(r"[A-Za-z]:(?=[\\/])")
_MAKERS: Final = frozenset({"Registry", "TreeBuilder"})


@dataclass(frozen=True, slots=True)
class Target:
    """A place, which is a module or a file, and the dotted name of a pipeline there."""

    place: str
    attribute: str
    is_file: bool
    #: The folder that a relative file is seen from, and where modules are sought besides the usual ones.
    folder: Path

    @property
    def path(self) -> Path:
        """The file, where the target is one."""
        return self.folder / self.place

    def __str__(self) -> str:
        return f"{self.place}:{self.attribute}"


def parse_target(text: str, folder: Path) -> Target:
    """Return the target that `text` names, seen from `folder`. Raises `CommandProblem` if it is not of that form."""
    drive = _DRIVE.match(text)
    start = drive.end() if drive else 0
    place, colon, attribute = text[start:].rpartition(":")
    place = text[:start] + place
    if not colon:
        raise CommandProblem(f"'{text}' names no attribute; {_fix(text, folder)}")
    if place.endswith(":"):
        raise CommandProblem(f"'{text}' has two colons; did you mean '{place.rstrip(':')}:{attribute}'?")
    if not place:
        raise CommandProblem(f"'{text}' names no module; expected {FORMS}")
    if not attribute:
        raise CommandProblem(f"'{text}' names no attribute; {_fix(place, folder)}")
    if "" in attribute.split("."):
        raise CommandProblem(f"'{text}' has an empty name between dots; expected {FORMS}")
    return Target(place, attribute, is_file_name(place), folder)


def is_file_name(place: str) -> bool:
    """Whether a place is meant as a file: it ends in `.py`, or has a separator that no module's name has."""
    return place.endswith(".py") or "/" in place or "\\" in place


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the nearest pyproject.toml says in [tool.treetask]."""

    #: The folder of that file, which its target is seen from; None if there is none.
    project: Path | None
    text: object
    #: Values of parameters, for pipelines that have these.
    params: Mapping[str, object]
    #: The store that runs are kept in, seen from that folder.
    store: str | None = None

    def target(self) -> Target:
        """Return the target. Raises `CommandProblem` if there is none, with a pipeline to begin with."""
        if self.text is None or self.project is None:
            raise CommandProblem(
                f"no TARGET, and no 'target' in [tool.treetask] of a pyproject.toml; expected {FORMS}",
                ["", "a pipeline to begin with, to be saved as app.py and run by 'python -m treetask app:tree':", ""]
                + [f"  {line}" if line else "" for line in FIRST_PIPELINE.splitlines()],
            )
        if not isinstance(self.text, str):
            raise CommandProblem(f"pyproject.toml: [tool.treetask] target is {self.text!r}; expected a string, {FORMS}")
        return parse_target(self.text, self.project)


def read_defaults(folder: Path) -> Defaults:
    """Return what the nearest pyproject.toml says, at or above `folder`.

    Raises `CommandProblem` for one that cannot be read, or says what it cannot.
    """
    project = next((each for each in (folder, *folder.parents) if (each / "pyproject.toml").is_file()), None)
    table = {} if project is None else _table(project / "pyproject.toml")
    for key in sorted(table.keys() - {"target", "params", "store"}):
        raise CommandProblem(
            f"pyproject.toml: [tool.treetask] has only 'target', 'params' and 'store' in this version; remove '{key}'"
        )
    params: Any = table.get("params", {})
    if not isinstance(params, dict):
        raise CommandProblem(f"pyproject.toml: [tool.treetask] params is {params!r}; expected a table")
    store: Any = table.get("store")
    if store is not None and not (isinstance(store, str) and store.strip()):
        raise CommandProblem(
            f"pyproject.toml: [tool.treetask] store is {store!r}; expected a string, which is a path or a URL"
        )
    return Defaults(project, table.get("target"), cast("dict[str, object]", params), store)


def _table(path: Path) -> dict[str, Any]:
    # Imported here: most commands name their target.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandProblem(f"{short_path(str(path))} cannot be read: {error}") from error
    tool: Any = document.get("tool")
    table: Any = cast("dict[str, Any]", tool).get("treetask", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise CommandProblem(
            f"{short_path(str(path))}: 'treetask' in [tool] is {table!r}; expected a table, [tool.treetask]"
        )
    return cast("dict[str, Any]", table)


def _fix(place: str, folder: Path) -> str:
    """Return the end of the sentence for a place without attribute: the whole target where a look at it shows one."""
    files = {name: folder / name for name in python_files(folder)}
    modules = {name.removesuffix(".py"): path for name, path in files.items()}
    close = closest(place, [*modules, *files])
    known = {close: (modules | files)[close]} if close is not None else {}
    known[place] = folder / place if is_file_name(place) else folder.joinpath(*place.split(".")).with_suffix(".py")
    for each in (place, close):
        name = None if each is None else next(made_in(known[each]), None)
        if name is not None:
            return f"did you mean '{each}:{name}'?"
    command = None if known[place].exists() else closest(place, (*COMMANDS, *RECORD_COMMANDS))
    return f"expected {FORMS}" if command is None else f"did you mean 'treetask {command}'?"


def made_in(path: Path) -> Iterator[str]:
    """Yield the names that a file gives to registries and builders, without running it."""
    try:
        module = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError):
        return  # only a hint is lost
    for statement in module.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and isinstance(statement.value, ast.Call):
            maker = statement.value.func
            name = maker.attr if isinstance(maker, ast.Attribute) else getattr(maker, "id", None)
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if name in _MAKERS:
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def python_files(folder: Path) -> list[str]:
    """Return the names of the Python files in a folder, in order; none where it cannot be read."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix == ".py")
    except OSError:
        return []


def module_names(folder: Path) -> list[str]:
    """Return the names under which the files and packages in a folder can be imported, in order."""
    try:
        packages = [path.name for path in folder.iterdir() if (path / "__init__.py").is_file()]
    except OSError:
        packages = []
    return sorted([*packages, *(name.removesuffix(".py") for name in python_files(folder))])
