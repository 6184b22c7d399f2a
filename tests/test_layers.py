"""The floors of the package: who may import whom, which modules stay pure, what `import treetask` loads.

The rules are functions from source text to sentences, so that each is shown to refuse what it is there to refuse.
Imports inside functions and under `TYPE_CHECKING` count like all others: a cycle hidden is a cycle.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "treetask"

FLOORS = {
    "_errors": 0,
    "_clock": 0,
    "_on_use": 0,
    "text": 1,
    "model": 1,
    "abc": 2,
    "builder": 2,
    "dsl": 2,
    "engine": 3,
    "events": 3,
    "display": 4,
    "store": 4,
    "backends": 4,
    "report": 4,
    "testing": 5,
    "cli": 6,
    "__main__": 6,
}
"""The floor of each part; a part is a module or package right under `treetask`."""

ROOT_FLOOR = 4.5
"""`treetask` itself gathers the names of floors 0 to 4 (and may import anything); only floors above may import it."""

SIDEWAYS = {("dsl", "builder"), ("dsl", "abc"), ("builder", "abc"), ("__main__", "cli")}
"""The only imports between parts of one floor."""

FORBIDDEN = {("engine", "dsl"), ("engine", "builder")}
"""Downward imports that are refused all the same: the engine runs trees, however they were made."""

PUBLIC_MODULES = {"treetask.__main__", "treetask.abc", "treetask.builder", "treetask.testing.pytest_plugin"}
"""Modules that others name; every other module starts with an underscore and its names come from its package."""

IMPURE_MODULES = {
    *("anyio", "asyncio", "trio", "sniffio", "selectors", "signal", "concurrent"),
    *("time", "sched"),
    *("io", "os", "fcntl", "logging", "multiprocessing", "shutil", "socket", "sqlite3", "subprocess", "tempfile"),
}
"""Event loops, clocks, input and output."""

IMPURE_CALLS = {"print", "open", "input"}
IMPURE_SYS = {"stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"}

NOT_LOADED = ("msgspec", "sqlite3", "psycopg", "distributed", "dask", "wcwidth", "argparse", "asyncio", "trio")
"""What `import treetask` leaves alone."""


@dataclass(frozen=True)
class Module:
    """A module's dotted name, whether it is a package's `__init__`, and its source."""

    name: str
    is_package: bool
    tree: ast.Module

    @property
    def part(self) -> str:
        """The part of `treetask` it belongs to; empty for `treetask/__init__.py`."""
        return part_of(self.name)


def part_of(name: str) -> str:
    """`treetask.model._node` -> `model`; `treetask` -> an empty string."""
    return [*name.split("."), ""][1]


def parse(name: str, source: str, *, is_package: bool = False) -> Module:
    """A module made of text."""
    return Module(name, is_package, ast.parse(source))


def read_package() -> dict[str, Module]:
    """Every module of the package by its dotted name."""
    modules: dict[str, Module] = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = parse(name, path.read_text(encoding="utf-8"), is_package=is_package)
    return modules


def imported_names(module: Module) -> list[tuple[int, str]]:
    """Line and dotted name of everything a module imports.

    `from a import b` gives `a.b`: whether `b` is a module or a name in one, its part is the same. A name given to
    `import_module` as text counts too.
    """
    found: list[tuple[int, str]] = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and called_name(node) in {"import_module", "__import__"}:
            text = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            if isinstance(text, str):
                base = module.name if module.is_package else module.name.rpartition(".")[0]
                found.append((node.lineno, base + text if text.startswith(".") else text))
    return found


def absolute(module: Module, node: ast.ImportFrom) -> str:
    """The dotted name that the `from` part of an import means."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    depth = len(parts) - node.level + module.is_package
    return ".".join([*parts[:depth], *([node.module] if node.module else [])])


def called_name(node: ast.Call) -> str:
    """`f` of `f(...)` and of `a.f(...)`."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def import_problems(module: Module) -> list[str]:
    """Imports that leave the floors' order, each as a sentence."""
    if module.part == "":
        return []
    if module.part not in FLOORS:
        return [f"{module.name}: no floor is known for {module.part!r}; the table is FLOORS"]
    problems: list[str] = []
    for line, name in imported_names(module):
        target = target_part(name)
        if target is None or target == module.part or (module.part, target) in SIDEWAYS:
            continue
        here = f"{module.name}:{line} (floor {FLOORS[module.part]}) imports {name}"
        floor = FLOORS[target] if target else ROOT_FLOOR
        if (module.part, target) in FORBIDDEN:
            problems.append(f"{here}: {module.part} never sees {target}")
        elif floor >= FLOORS[module.part]:
            problems.append(f"{here} (floor {floor}): neither upwards nor sideways")
    return problems


def target_part(name: str) -> str | None:
    """The part of `treetask` a name is imported from, empty for `treetask` itself, None for what is not ours."""
    if name != PACKAGE and not name.startswith(f"{PACKAGE}."):
        return None
    part = part_of(name)
    return part if part in FLOORS else ""


def border_problems(module: Module) -> list[str]:
    """Private modules and names of other packages that a module reaches for, each as a sentence."""
    problems: list[str] = []
    for line, name in imported_names(module):
        part = target_part(name)
        private = [each for each in name.split(".")[2:] if each.startswith("_")]
        if part and part != module.part and private:
            home = f"{PACKAGE}.{part}"
            problems.append(
                f"{module.name}:{line} imports {name}: {private[0]} is private; {home} exports what others need"
            )
    return problems


def purity_problems(module: Module) -> list[str]:
    """Event loops, clocks, input and output in a module that decides and does not act."""
    problems = [
        f"{module.name}:{line} imports {name}: this module knows no event loop, no clock, no I/O"
        for line, name in imported_names(module)
        if name.split(".")[0] in IMPURE_MODULES or name.removeprefix("sys.") in IMPURE_SYS
    ]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            problems.append(f"{module.name}:{node.lineno} calls {node.func.id}()")
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "sys" and node.attr in IMPURE_SYS:
            problems.append(f"{module.name}:{node.lineno} uses sys.{node.attr}")
    return problems


def name_problems(module: Module) -> list[str]:
    """A module with a public name that nobody is meant to import from."""
    last = module.name.rpartition(".")[2]
    if module.is_package or last.startswith("_") or module.name in PUBLIC_MODULES:
        return []
    return [f"{module.name}: modules inside packages start with an underscore: _{last}.py"]


def pure_modules(modules: dict[str, Module]) -> list[Module]:
    """The model, the scheduler, and what the scheduler uses of its own package, step by step."""
    pure = {name: module for name, module in modules.items() if module.part == "model"}
    waiting = ["treetask.engine._scheduler"]
    while waiting:
        module = modules.get(waiting.pop())
        if module is None or module.name in pure:
            continue
        pure[module.name] = module
        for _, name in imported_names(module):
            candidates = (name, name.rpartition(".")[0])
            waiting += [each for each in candidates if each.startswith("treetask.engine.")]
    return list(pure.values())


MODULES = read_package()


def test_every_import_goes_down_the_floors() -> None:
    """A module imports from lower floors and its own package only."""
    assert "treetask" in MODULES

    assert [problem for module in MODULES.values() for problem in import_problems(module)] == []


def test_every_import_of_another_package_is_of_what_it_exports() -> None:
    """Modules of one package share their private parts; to all others a package is its list of exports."""
    assert [problem for module in MODULES.values() for problem in border_problems(module)] == []


def test_model_and_scheduler_are_pure() -> None:
    """What decides knows no event loop, no clock and no I/O."""
    assert [problem for module in pure_modules(MODULES) for problem in purity_problems(module)] == []


def test_modules_are_private_and_packages_public() -> None:
    """A module's name starts with an underscore, save those that others name."""
    assert [problem for module in MODULES.values() for problem in name_problems(module)] == []


def test_import_treetask_loads_nothing_heavy() -> None:
    """A bare `import treetask` loads no event loop, no database, no codec, no parser of arguments."""
    code = f"import sys; import treetask; print(*sorted(set({NOT_LOADED!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("treetask.model._node", "from treetask.engine import AsyncExecutor"),
        ("treetask.model._node", "from ..engine._executor import AsyncExecutor"),
        ("treetask.model._node", "from .. import dsl"),
        ("treetask.model._node", "from treetask import TaskTree"),
        ("treetask.model._node", "import treetask"),
        ("treetask.model._node", "def f():\n    import treetask.abc"),
        ("treetask.model._node", "if TYPE_CHECKING:\n    from treetask.builder import TreeBuilder"),
        ("treetask.model._node", "importlib.import_module('treetask.engine')"),
        ("treetask._errors", "from ._clock import now"),
        ("treetask.builder", "from .dsl import Registry"),
        ("treetask.abc", "from treetask.builder import TreeBuilder"),
        ("treetask.dsl._registry", "from ..engine import AsyncExecutor"),
        ("treetask.engine._executor", "from treetask.builder import TreeBuilder"),
        ("treetask.engine._executor", "from ..dsl._registry import Registry"),
        ("treetask.display._live", "from treetask.store import create_session"),
        ("treetask.report._html", "from ..display._safe_text import safe_text"),
        ("treetask.backends._threads", "import treetask.testing"),
        ("treetask.testing._recorder", "from treetask.cli import main"),
        ("treetask.cli._main", "from treetask.__main__ import main"),
        ("treetask.helpers", "import json"),
    ],
)
def test_import_that_leaves_the_floors_is_refused(name: str, source: str) -> None:
    """Upwards, sideways and across a forbidden border, however the import is written."""
    assert len(import_problems(parse(name, source))) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("treetask", "from treetask.cli import main\nfrom .engine import AsyncExecutor"),
        ("treetask.model._tree", "from .._errors import TreeTaskError\nfrom ._node import TaskNode\nimport heapq"),
        ("treetask.dsl._compile", "from treetask.builder import TreeBuilder\nfrom ..abc import Backend"),
        ("treetask.engine._executor", "import anyio\nfrom ..model import TaskTree\nfrom .. import abc, _clock"),
        ("treetask.display._live", "from treetask.engine import ExecutionResult"),
        ("treetask.testing.pytest_plugin", "from treetask import TaskTree"),
        ("treetask.cli._main", "from treetask import __version__\nfrom ..display import LiveDisplay"),
        ("treetask.__main__", "from treetask.cli import main"),
    ],
)
def test_import_down_the_floors_is_accepted(name: str, source: str) -> None:
    """The table refuses nothing that the floors allow."""
    assert import_problems(parse(name, source)) == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "from treetask.model._node import TaskNode",
            "imports treetask.model._node.TaskNode: _node is private; treetask.model exports what others need",
        ),
        (
            "def f():\n    from ..model import _private",
            "imports treetask.model._private: _private is private; treetask.model exports what others need",
        ),
        ("from treetask.engine._slots import Slots", None),
        ("from treetask._errors import TreeTaskError\nfrom treetask import _clock", None),
        ("from treetask.model import TaskNode", None),
    ],
)
def test_reach_into_another_package_is_refused(source: str, problem: str | None) -> None:
    """Floor 0 is for all; of every other package only its exports are."""
    problems = border_problems(parse("treetask.engine._run", source))

    assert [each.partition(" ")[2] for each in problems] == ([] if problem is None else [problem])


def test_relative_import_in_a_package_means_that_package() -> None:
    """One dot in an `__init__` is the package itself, in a module its parent."""
    in_package = parse("treetask.model", "from .a import b\nfrom ..c import d", is_package=True)
    in_module = parse("treetask.model._node", "from .a import b\nfrom ..c import d")

    expected = [(1, "treetask.model.a.b"), (2, "treetask.c.d")]
    assert imported_names(in_package) == imported_names(in_module) == expected


@pytest.mark.parametrize(
    "source",
    [
        "import anyio",
        "from anyio.abc import TaskGroup",
        "def f():\n    from time import monotonic",
        "import os.path",
        "from sys import stderr",
        "import sys\nsys.stdout.write('x')",
        "print('x')",
    ],
)
def test_impure_model_is_refused(source: str) -> None:
    """An event loop, a clock or output in the model is named."""
    assert len(purity_problems(parse("treetask.model._node", source))) == 1


def test_scheduler_is_pure_with_the_modules_it_uses() -> None:
    """A helper of the scheduler is held to the scheduler's rule, the executor beside it is not."""
    modules = {
        module.name: module
        for module in [
            parse("treetask.engine._scheduler", "from ._slots import Slots\nfrom treetask.model import TaskTree"),
            parse("treetask.engine._slots", "from . import _queue"),
            parse("treetask.engine._queue", "import time"),
            parse("treetask.engine._executor", "import anyio\nfrom ._scheduler import Scheduler"),
        ]
    }

    problems = [problem for module in pure_modules(modules) for problem in purity_problems(module)]

    assert problems == ["treetask.engine._queue:1 imports time: this module knows no event loop, no clock, no I/O"]


def test_public_module_inside_a_package_is_refused() -> None:
    """Only the modules that others name have a public name."""
    assert name_problems(parse("treetask.model.node", "")) == [
        "treetask.model.node: modules inside packages start with an underscore: _node.py"
    ]
    assert name_problems(parse("treetask.model", "", is_package=True)) == []
    assert name_problems(parse("treetask.testing.pytest_plugin", "")) == []
