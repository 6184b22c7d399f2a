"""What the package exports: complete lists of names, each name with one public import path.

The core names come from `treetask` itself; the parts they are made of (model, builder, dsl, engine, display) have an
`__all__` for each other. The other parts are public under their own names. That the lists are sorted is the linter's
business.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import get_origin

import pytest

import treetask

INNER = {"treetask.model", "treetask.builder", "treetask.dsl", "treetask.engine", "treetask.display"}
"""Parts whose public names are exported by `treetask`; no user imports from them."""


def exporting_modules() -> list[ModuleType]:
    """`treetask`, its packages at every depth, and its public modules."""
    names = [
        info.name
        for info in pkgutil.walk_packages(treetask.__path__, "treetask.")
        if not any(part.startswith("_") for part in info.name.split("."))
    ]
    return [treetask, *(importlib.import_module(name) for name in names)]


def list_problems(module: ModuleType) -> list[str]:
    """What is wrong with a module's `__all__`: absent, a name twice, a private name, a name that is not there."""
    name = module.__name__
    exported: list[str] | None = getattr(module, "__all__", None)
    if exported is None:
        return [f"{name} has no __all__"]
    problems = [f"{name}.__all__ names {item!r} twice" for item in sorted(set(exported)) if exported.count(item) > 1]
    problems += [
        f"{name}.__all__ exports the private {item!r}"
        for item in exported
        if item.startswith("_") and item != "__version__"
    ]
    problems += [f"{name}.__all__ names {item!r}, which is not there" for item in exported if not hasattr(module, item)]
    return problems


def unlisted_problems(module: ModuleType) -> list[str]:
    """Public names that a module binds and its `__all__` keeps quiet about.

    A package's `__init__` is a list of names, so each one counts; a module also binds what it uses, so there only what
    it defines itself counts.
    """
    is_package = hasattr(module, "__path__")
    listed: set[str] = set(getattr(module, "__all__", ()))
    return [
        f"{module.__name__}.{name} is public and not in __all__; list it or import it as _{name}"
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in listed and not isinstance(value, ModuleType)
        if name not in {"annotations", "TYPE_CHECKING"}
        if is_package or getattr(value, "__module__", None) == module.__name__
    ]


def path_problems(modules: list[ModuleType]) -> list[str]:
    """Names and objects with two import paths: among the public modules, and among the inner ones."""
    public = [module for module in modules if module.__name__ not in INNER]
    inner = [module for module in modules if module.__name__ in INNER]
    return [problem for group in (public, inner) for problem in shared_problems(group)]


def shared_problems(modules: list[ModuleType]) -> list[str]:
    """Names, and classes and functions under whatever name, that two of the modules export."""
    problems: list[str] = []
    by_name: dict[str, str] = {}
    by_object: dict[object, str] = {}
    for module in modules:
        for name in getattr(module, "__all__", ()):
            path = f"{module.__name__}.{name}"
            first = by_name.setdefault(name, path)
            value: object = getattr(module, name, None)
            if first == path and (inspect.isclass(value) or inspect.isfunction(value)):
                first = by_object.setdefault(value, path)
            if first != path:
                problems.append(f"{path} is already {first}")
    return problems


def foreign_problems(module: ModuleType) -> list[str]:
    """Classes and functions of other projects among a module's exports."""
    return [
        f"{module.__name__}.{name} belongs to {value.__module__}"
        for name in getattr(module, "__all__", ())
        for value in [getattr(module, name, None)]
        if inspect.isfunction(value) or (inspect.isclass(value) and get_origin(value) is None)
        if value.__module__.split(".")[0] != "treetask"
    ]


def test_every_list_of_exports_is_right() -> None:
    """Each `__all__` exists, has every name once, and every name can be imported."""
    assert [problem for module in exporting_modules() for problem in list_problems(module)] == []


def test_every_public_name_is_listed() -> None:
    """What a package binds without an underscore is in its `__all__`."""
    assert [problem for module in exporting_modules() for problem in unlisted_problems(module)] == []


def test_every_public_name_has_one_import_path() -> None:
    """No two public modules export the same name or the same object."""
    assert path_problems(exporting_modules()) == []


def test_nothing_foreign_is_exported() -> None:
    """Users import what belongs to another project from that project."""
    assert [problem for module in exporting_modules() for problem in foreign_problems(module)] == []


class _Exported:
    """An object to export."""


_Exported.__module__ = "treetask.made_up"


def made_up(name: str, exported: list[str] | None = None, **names: object) -> ModuleType:
    """A module with an `__all__` and the names given."""
    module = ModuleType(name)
    vars(module).update(names)
    if exported is not None:
        vars(module)["__all__"] = exported
    return module


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (made_up("treetask.m"), "treetask.m has no __all__"),
        (made_up("treetask.m", ["A", "A"], A=1), "treetask.m.__all__ names 'A' twice"),
        (made_up("treetask.m", ["_a"], _a=1), "treetask.m.__all__ exports the private '_a'"),
        (made_up("treetask.m", ["A"]), "treetask.m.__all__ names 'A', which is not there"),
    ],
)
def test_wrong_list_is_named(module: ModuleType, problem: str) -> None:
    """Each mistake in an `__all__` has its sentence."""
    assert list_problems(module) == [problem]


def test_unlisted_name_is_named() -> None:
    """A package answers for all names it binds, a module for those it defines."""
    problem = "treetask.made_up.A is public and not in __all__; list it or import it as _A"

    assert unlisted_problems(made_up("treetask.made_up", [], A=int, __path__=[])) == [problem]
    assert unlisted_problems(made_up("treetask.made_up", [], A=_Exported)) == [problem]
    assert unlisted_problems(made_up("treetask.made_up", [], A=int, _b=1, pkgutil=pkgutil, __path__=["A"])) == [problem]
    assert unlisted_problems(made_up("treetask.made_up", [], A=int)) == []


def test_second_import_path_is_named() -> None:
    """One object under two public names, or one name for two objects, is refused; inner parts feed `treetask`."""
    core = made_up("treetask", ["Node"], Node=_Exported)
    inner = made_up("treetask.model", ["Node"], Node=_Exported)
    inner_again = made_up("treetask.engine", ["Node"], Node=_Exported)
    outer = made_up("treetask.store", ["Node", "Other"], Node=int, Other=_Exported)

    assert path_problems([core, inner]) == []
    assert path_problems([core, inner, inner_again]) == ["treetask.engine.Node is already treetask.model.Node"]
    assert path_problems([core, outer]) == [
        "treetask.store.Node is already treetask.Node",
        "treetask.store.Other is already treetask.Node",
    ]


def test_foreign_export_is_named() -> None:
    """A class of the standard library among the exports is refused."""
    assert foreign_problems(made_up("treetask.m", ["Path"], Path=ModuleType)) == ["treetask.m.Path belongs to builtins"]
    assert foreign_problems(made_up("treetask.m", ["Node", "LIMIT"], Node=_Exported, LIMIT=3)) == []
