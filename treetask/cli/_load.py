"""Brings the module or the file of a target into memory, and says what is wrong where that fails.

Knows how Python imports; not what a pipeline is.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from treetask._errors import DefinitionError, short_path
from treetask.cli._problem import CommandProblem, ExitCode, closest, listed, suggestion
from treetask.cli._target import Target, module_names, python_files


def load_module(target: Target) -> ModuleType:
    """Return the module of a target, imported. Raises `CommandProblem` naming what is wrong with it.

    The current folder can be imported from, and so can the folder of a file.
    """
    _import_from(Path.cwd())
    _import_from(target.folder)
    return _load_file(target) if target.is_file else _load_named(target)


def title(target: Target) -> str:
    """Return the words for a target's place at the beginning of a sentence."""
    return f"'{target.place}'" if target.is_file else f"module '{target.place}'"


def _import_from(folder: Path) -> None:
    """Let modules of a folder be imported, before those of the same name elsewhere."""
    path = str(folder.resolve())
    if path in sys.path:
        sys.path.remove(path)
    sys.path.insert(0, path)


# -- modules ----------------------------------------------------------------------------------------------------------


def _load_named(target: Target) -> ModuleType:
    name = target.place
    if not all(part.isidentifier() for part in name.split(".")):
        hint = _file_hint(target) or _module_hint(target)
        raise CommandProblem(f"'{name}' is no name of a module{hint}")
    with _importing(target):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            from treetask.text import user_frames

            # Without a frame of the user's own it was our import that found nothing.
            if user_frames(error):
                raise
            raise _no_such_module(target) from None
    hidden = target.folder / f"{name}.py"
    file = getattr(module, "__file__", None)
    if hidden.is_file() and not (file is not None and Path(file).resolve().is_relative_to(target.folder.resolve())):
        where = "Python itself" if file is None else short_path(file)
        raise CommandProblem(
            f"module '{name}' was imported before, from {where}; did you mean './{name}.py:{target.attribute}'?"
        )
    return module


def _no_such_module(target: Target) -> CommandProblem:
    parent, _, last = target.place.rpartition(".")
    loaded = sys.modules.get(parent) if parent else None
    if loaded is not None and not hasattr(loaded, "__path__"):
        return CommandProblem(
            f"module '{parent}' is no package, so there is no module '{target.place}'; "
            f"did you mean '{parent}:{last}.{target.attribute}'?"
        )
    return CommandProblem(f"there is no module '{target.place}'{_file_hint(target) or _module_hint(target)}")


def _module_hint(target: Target) -> str:
    """Return the closest module beside the one that was meant, or those that there are."""
    *parents, last = target.place.split(".")
    folder = target.folder.joinpath(*parents)
    if parents and not folder.is_dir():
        folder, parents, last = target.folder, [], target.place
    names = module_names(folder)
    prefix = "".join(f"{parent}." for parent in parents)
    hint = suggestion(last, names, prefix=prefix, suffix=f":{target.attribute}")
    if hint or not names:
        return hint or f"; there is no Python file in {short_path(str(folder))}{os.sep}"
    return f"; the modules here: {listed(f'{prefix}{name}' for name in names)}"


def _file_hint(target: Target) -> str:
    """Return the file of that name in a folder right below, for those who forgot the folder."""
    wanted = f"{target.place.rpartition('.')[2]}.py"
    for path in (target.folder / wanted, *sorted(target.folder.glob(f"*/{wanted}"))):
        if path.is_file():
            return f"; did you mean '{path.relative_to(target.folder).as_posix()}:{target.attribute}'?"
    return ""


# -- files ------------------------------------------------------------------------------------------------------------


def _load_file(target: Target) -> ModuleType:
    path = target.path
    _check_file(target)
    root, name = _module_name(path)
    _import_from(root)
    if "." in name:
        with _importing(target):
            module = importlib.import_module(name)
            if _is_same_file(module, path):
                return module
    if name in sys.modules or name in sys.stdlib_module_names:
        # The real module of that name stays what it is for everybody else.
        name = f"treetask_target_{name.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Before it is executed: dataclasses and pickles look their module up.
    sys.modules[name] = module
    try:
        with _importing(target):
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _check_file(target: Target) -> None:
    path = target.path
    if path.is_dir():
        files = python_files(path)
        there = f"; in it are {listed(files)}" if files else ""
        raise CommandProblem(f"'{target.place}' is a folder; expected a Python file{there}")
    if path.is_file() and path.suffix != ".py":
        raise CommandProblem(f"'{target.place}' is no Python file; expected a name that ends in .py")
    if path.is_file():
        return
    if path.suffix != ".py" and path.with_name(f"{path.name}.py").is_file():
        raise CommandProblem(f"there is no file '{target.place}'; did you mean '{target.place}.py:{target.attribute}'?")
    raise CommandProblem(f"there is no file '{target.place}'{_neighbour_hint(target)}")


def _neighbour_hint(target: Target) -> str:
    folder = target.path.parent
    if not folder.is_dir():
        return f"; there is no folder '{Path(target.place).parent.as_posix()}'"
    files = python_files(folder)
    close = closest(target.path.name, files)
    if close is not None:
        return f"; did you mean '{(Path(target.place).parent / close).as_posix()}:{target.attribute}'?"
    where = short_path(str(folder.resolve()))
    return f"; in {where} are {listed(files)}" if files else f"; there is no Python file in {where}"


def _module_name(path: Path) -> tuple[Path, str]:
    """Return the folder to import from, and the module's name: dotted where the file is part of a package."""
    path = path.resolve()
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts) or path.stem


def _is_same_file(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == path.resolve()


# -- what goes wrong in the user's code -------------------------------------------------------------------------------


@contextmanager
def _importing(target: Target) -> Generator[None]:
    """Turn whatever the imported code raises into a `CommandProblem` that shows the user's own frames."""
    try:
        yield
    except CommandProblem:
        raise
    except BaseException as error:
        raise trouble(error, target, title(target), " while it was imported") from error


def trouble(error: BaseException, target: Target, who: str, when: str = "") -> CommandProblem:
    """Return the problem for an exception out of the user's code: who raised it, and when."""
    from treetask.text import exception_lines, frame_lines, is_raised_by_us

    frames = frame_lines(error)
    if isinstance(error, DefinitionError) or (isinstance(error, (TypeError, ValueError)) and is_raised_by_us(error)):
        # A declaration that was refused: its message names the thing and the fix.
        return CommandProblem(str(error), frames)
    if isinstance(error, KeyboardInterrupt):
        return CommandProblem(f"{who} was interrupted{when}", frames, exit_code=ExitCode.INTERRUPTED)
    if isinstance(error, SystemExit):
        fix = 'put what should not run here under: if __name__ == "__main__":'
        return CommandProblem(f"{who} called sys.exit({error.code!r}){when}; {fix}", frames)
    if isinstance(error, SyntaxError) and error.filename is not None:
        return _syntax_trouble(error, frames, target)
    if isinstance(error, ModuleNotFoundError) and str(error) == f"No module named {error.name!r}":
        return CommandProblem(f"{title(target)} needs the module '{error.name}', which is not installed", frames)
    return CommandProblem(f"{who} raised {type(error).__qualname__}{when}", [*frames, *exception_lines(error)])


def _syntax_trouble(error: SyntaxError, frames: list[str], target: Target) -> CommandProblem:
    assert error.filename is not None
    where = f"{short_path(error.filename)}:{error.lineno}"
    details = [*frames, where]
    if error.text:
        text = error.text.rstrip("\n")
        code = text.lstrip(" \f\t")
        details.append(f"  {code}")
        column = (error.offset or 0) - 1 - (len(text) - len(code))
        if 0 <= column <= len(code):
            details.append(f"  {' ' * column}^")
    kind = type(error).__name__
    return CommandProblem(f"{title(target)} cannot be read: {kind}: {error.msg}", details)
