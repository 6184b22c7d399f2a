"""Looks at a function once, when it is declared, and says what kind of body it is; or why it cannot be one.

What it decides agrees with what the type checker reads from the overloads of the decorators: there a first parameter
that accepts a `TaskNode` receives the node. Where annotations leave that open, the function is refused instead of
guessed at.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping
from enum import Enum, auto
from inspect import Parameter
from types import MappingProxyType
from typing import Any, Final, cast

import typing_extensions

from treetask._errors import DefinitionError
from treetask.dsl._declaration import Body, Declaration, Declared, Given, Provided, Reference, Referent, referent_of
from treetask.dsl._errors import BodyError
from treetask.dsl._parameters import Parameters
from treetask.dsl._place import Place
from treetask.model import BodyKind, TaskNode, kind_of

#: Keywords of `run` and `build`, which a parameter of that name would clash with.
RESERVED: Final = frozenset({"config", "store", "backend"})

_BY_POSITION: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
#: What a body that yields has to be annotated with, for the type checker to take it for one.
_YIELDING: Final[Mapping[BodyKind, tuple[type, str]]] = {
    BodyKind.SPAWNER: (AsyncGenerator, "Spawns[...]"),
    BodyKind.THREAD_SPAWNER: (Generator, "SyncSpawns[...]"),
}
#: What a plain function may not return: the type checker takes it for another kind of body.
_LATE: Final = (
    (Awaitable, "an awaitable", "write it as `async def`"),
    (AsyncIterator, "an async generator", "write it as `async def` with `yield`"),
    (Generator, "a generator", "let it `yield from` what it returns"),
)


class _First(Enum):
    """What a first parameter is there for."""

    NODE = auto()
    """It receives the node."""
    ARGUMENT = auto()
    """It is one of the task's own."""
    EITHER = auto()
    """Nobody can tell: it would accept the node."""


def inspect_body(fn: object, place: Place) -> Body:
    """Return what there is to know of a body. Raises `BodyError` with the fix for what cannot be one."""
    name = body_name(fn)
    body = _inspected(_checked_function(fn, name, place), name, place)
    for each in body.parameters.names:
        if each in RESERVED:
            problem = f"its parameter '{each}' has the name of an option of run()"
            raise BodyError(name, place, problem, f"rename it, as in '{each}_'")
    return body


def _inspected(function: Callable[..., Any], name: str, place: Place) -> Body:
    parameters = _checked_parameters(function, name, place)
    kind = _checked_kind(function, name, place)
    wants_node = _wants_node(function, parameters, name, place)
    public = parameters[1:] if wants_node else parameters
    _refuse_stray_node(function, public, name, place)
    return Body(function, kind, wants_node, Parameters(public), _references(public, name, place))


def _checked_parameters(function: Callable[..., Any], name: str, place: Place) -> list[Parameter]:
    try:
        parameters = list(_signature(function).parameters.values())
    except (ValueError, TypeError):
        raise BodyError(name, place, "its parameters cannot be read", "call it from a `def` of your own") from None
    _refuse_shape(function, parameters, name, place)
    for value in function.args if isinstance(function, functools.partial) else ():
        if isinstance(value, Reference) or _holds_reference(value):
            problem = f"the partial holds {value!r} by position, where nothing fills it in"
            raise BodyError(name, place, problem, "hand it to the partial by the name of its parameter")
    return parameters


def inspect_resource(fn: object, place: Place, inherited: Mapping[str, Referent] = MappingProxyType({})) -> Body:
    """Return what there is to know of a resource: an async generator all of whose parameters a run fills in.

    `inherited` are the references that fill parameters without a default. Raises `BodyError` for what cannot be one.
    """
    name = body_name(fn)
    try:
        function = _checked_function(fn, name, place)
        parameters = _checked_parameters(function, name, place)
        own = _references(parameters, name, place)
    except BodyError as error:
        raise BodyError(name, place, error.problem, error.fix, role="resource") from None
    references = {**{each.name: inherited[each.name] for each in parameters if each.name in inherited}, **own}
    trouble = _trouble_of_kind(function) or _trouble_of_parameters(function, parameters, references)
    if trouble is not None:
        raise BodyError(name, place, *trouble, role="resource")
    return Body(function, BodyKind.SPAWNER, wants_node=False, parameters=Parameters(parameters), references=references)


def _trouble_of_kind(function: Callable[..., Any]) -> tuple[str, str] | None:
    """Return why a function can be no resource as it is written, and the fix; None if it can."""
    kind = kind_of(function)
    if kind is BodyKind.SPAWNER:
        return None
    if kind_of(inspect.unwrap(function)) is BodyKind.SPAWNER:
        return "it is an async generator inside of something else", "remove the decorator, as @asynccontextmanager"
    if kind is BodyKind.ASYNC:
        return "it does not yield", "yield its value; what comes after the `yield` closes it"
    return "it is no async generator", "write it as `async def` that yields its value once"


def _trouble_of_parameters(
    function: Callable[..., Any], parameters: Iterable[Parameter], references: Mapping[str, Referent]
) -> tuple[str, str] | None:
    for each in parameters:
        reference = references.get(each.name)
        if reference is None:
            if _means_node(each, function):
                return f"its parameter '{each.name}' is a node, and it serves many", "remove it"
            if each.default is Parameter.empty and each.kind is not Parameter.VAR_KEYWORD:
                return (
                    f"nothing binds '{each.name}'",
                    f"give it a default, as in {each.name}: str = settings.output.env",
                )
        elif isinstance(reference.target, Declaration):
            problem = f"it takes '{each.name}' from the {reference}, but it is there before any task"
            return problem, "take it in the task that uses the resource"
    return None


def _means_node(parameter: Parameter, function: Callable[..., Any]) -> bool:
    if parameter.annotation is Parameter.empty:
        return parameter.name == "node" and parameter.default is Parameter.empty
    return _role(_resolved(parameter.annotation, function)) is _First.NODE


def inspect_condition(owner: str, fn: object, place: Place) -> Body:
    """Return what there is to know of a condition: a plain function all of whose parameters a run fills in.

    Raises `DefinitionError` naming its `owner` for one that cannot be asked.
    """
    name = body_name(fn)
    if isinstance(fn, Declared):
        label = fn._declared.label
        fix = f"write a function that takes its result: def ask(found: bool = {label}.output) -> bool"
        raise DefinitionError(f"{owner}: when={label} cannot be asked: it is a task; {fix}")
    try:
        function = _checked_function(fn, name, place, may_be_lambda=True)
        body = _inspected(function, name, place)
    except BodyError as error:
        raise DefinitionError(f"{owner}: when={name} cannot be asked: {error.problem}; {error.fix}") from None
    why, fix = None, "give it a default, as in env: str = settings.output.env"
    targets = {name: reference.target for name, reference in body.references.items()}
    opened = next((name for name, each in targets.items() if isinstance(each, Given) and each.is_opened), None)
    if body.kind is not BodyKind.THREAD:
        why, fix = "it is no plain function", "write it as a `def` that answers at once"
    elif opened is not None:
        why = f"it takes '{opened}' from a resource, which takes time to open"
        fix = "ask in a task, and take its output"
    elif body.parameters.required:
        why = f"nothing binds {' and '.join(repr(each) for each in body.parameters.required)}"
    if why is not None:
        raise DefinitionError(f"{owner}: when={name} cannot be asked: {why}; {fix}")
    return body


def body_name(fn: object) -> str:
    """Return the name that messages use for a would-be body."""
    name = getattr(getattr(fn, "func", fn), "__name__", None)
    return name if isinstance(name, str) else repr(fn)


def _checked_function(fn: object, name: str, place: Place, *, may_be_lambda: bool = False) -> Callable[..., Any]:
    if isinstance(fn, Reference):
        raise BodyError(name, place, f"it is the {referent_of(fn)}, a value", "declare a `def` or `async def`")
    if isinstance(fn, Declared):
        raise BodyError(name, place, f"it is the task '{fn._declared.path}'", "hand over its function: handle.fn")
    if inspect.isclass(fn):
        raise BodyError(name, place, "it is a class", "declare a function that makes or uses one")
    is_bound = inspect.ismethod(fn) or (inspect.isbuiltin(fn) and inspect.isclass(fn.__self__))
    if is_bound or isinstance(fn, (staticmethod, classmethod)):
        raise BodyError(name, place, "it is a method", "declare a function outside the class that calls it")
    if not callable(fn):
        raise BodyError(
            name, place, f"it is no function but of type {type(fn).__name__}", "declare a `def` or `async def`"
        )
    if name == "<lambda>" and not may_be_lambda:
        raise BodyError(name, place, "a lambda has no name and no types", "write it as `def`")
    return fn


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _refuse_shape(function: Callable[..., Any], parameters: list[Parameter], name: str, place: Place) -> None:
    first = parameters[0] if parameters else None
    if first is not None and first.name in {"self", "cls"} and first.annotation is Parameter.empty:
        raise BodyError(name, place, "it is a method", "declare a function outside the class that calls it")
    for each in parameters:
        if each.kind is Parameter.VAR_POSITIONAL:
            fix = "name its parameters, or take one list; if it is made by a decorator, use functools.wraps there"
            raise BodyError(name, place, f"'*{each.name}' hides what it takes", fix)


def _checked_kind(function: Callable[..., Any], name: str, place: Place) -> BodyKind:
    """Return the kind of a body; refuse one that the type checker would take for another kind."""
    kind = kind_of(function)
    if kind is BodyKind.THREAD and kind_of(inspect.unwrap(function)) is not kind:
        problem = "it is a plain `def` wrapped around an async function or a generator"
        raise BodyError(name, place, problem, "write the wrapper as the kind of function that it wraps")
    annotation = _resolved(_signature(function).return_annotation, function)
    returned = typing.get_origin(annotation) or annotation
    if not isinstance(returned, type) or returned is Parameter.empty:
        return kind
    for late, what, fix in _LATE if kind is BodyKind.THREAD else ():
        if issubclass(returned, late):
            raise BodyError(name, place, f"it is a plain `def`, run in a thread, that returns {what}", fix)
    expected, shown = _YIELDING.get(kind, (object, ""))
    if not issubclass(returned, expected):
        problem = "its return type does not say that it yields children"
        raise BodyError(name, place, problem, f"annotate it `-> {shown}`")
    return kind


def _wants_node(function: Callable[..., Any], parameters: list[Parameter], name: str, place: Place) -> bool:
    first = parameters[0] if parameters else None
    if first is None or first.kind not in _BY_POSITION:
        return False
    if first.annotation is Parameter.empty:
        return first.name == "node"
    role = _role(_resolved(first.annotation, function))
    if role is _First.EITHER:
        text = first.annotation if isinstance(first.annotation, str) else inspect.formatannotation(first.annotation)
        shown = f"{first.name}: {text}"
        problem = f"its first parameter '{shown}' would accept the node, so it cannot be told from an argument"
        both = "" if first.name == "node" else f", or '(node: TaskNode, {shown})' to have both"
        raise BodyError(name, place, problem, f"write '{first.name}: TaskNode' to receive the node{both}")
    return role is _First.NODE


def _role(annotation: object) -> _First:
    """Tell from an annotation, or from the text of one that cannot be resolved, what a first parameter is for."""
    if isinstance(annotation, str):
        return _role_by_name(annotation)
    if typing_extensions.get_origin(annotation) is typing_extensions.Annotated:
        return _role(typing.get_args(annotation)[0])
    if annotation is TaskNode:
        return _First.NODE
    return _First.EITHER if _accepts_node(annotation) else _First.ARGUMENT


def _role_by_name(text: str) -> _First:
    last = text.strip().rpartition(".")[2]
    if last == "TaskNode":
        return _First.NODE
    words = set("".join(letter if letter.isidentifier() else " " for letter in text).split())
    return _First.EITHER if last in {"Any", "object"} or "TaskNode" in words else _First.ARGUMENT


def _accepts_node(annotation: object) -> bool:
    """Whether the type checker would let a `TaskNode` pass for a type that is not `TaskNode`."""
    if annotation is Any:
        return True
    if isinstance(annotation, (typing.TypeVar, typing_extensions.TypeVar)):
        bounds = annotation.__constraints__ or (annotation.__bound__ or object,)
        return any(each is TaskNode or _accepts_node(each) for each in bounds)
    origin = typing.get_origin(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return any(each is TaskNode or _accepts_node(each) for each in typing.get_args(annotation))
    kind = origin or annotation
    if not isinstance(kind, type):
        return False
    if typing_extensions.is_protocol(kind):
        return all(hasattr(TaskNode, member) for member in typing_extensions.get_protocol_members(kind))
    return issubclass(TaskNode, kind)


def type_of(annotation: object, function: Callable[..., Any]) -> object:
    """Return the type that an annotation means; `Any` where that cannot be found out."""
    wanted = _resolved(annotation, function)
    return Any if isinstance(wanted, str) else wanted


def _resolved(annotation: object, function: Callable[..., Any]) -> object:
    """Return what an annotation means where the function was written; its text where that cannot be found out."""
    inner = _innermost(function)
    names = {each.__name__: each for each in getattr(inner, "__type_params__", ())}
    # A text may mean a text, where an annotation is quoted although all of them are.
    for _ in range(2):
        # On 3.14, what the function's module does not define yet comes as a reference with the text in it.
        text = getattr(annotation, "__forward_arg__", annotation)
        if not isinstance(text, str):
            break
        try:
            annotation = eval(text, getattr(inner, "__globals__", {}), names)  # noqa: S307 - the user's own source
        except Exception:  # noqa: BLE001 - an annotation may hold any expression; its text is all there is then
            return text
    return annotation


def _innermost(function: Callable[..., Any]) -> object:
    """Return the function whose module the annotations were written in."""
    inner: Any = inspect.unwrap(function)
    while isinstance(inner, functools.partial):
        inner = inspect.unwrap(inner.func)
    return inner if inspect.isroutine(inner) else type(inner).__call__


def _refuse_stray_node(function: Callable[..., Any], public: list[Parameter], name: str, place: Place) -> None:
    for each in public:
        if each.annotation is not Parameter.empty and _resolved(each.annotation, function) is TaskNode:
            problem = f"'{each.name}: TaskNode' is not its first positional parameter"
            raise BodyError(name, place, problem, "put it first to receive the node; nodes are no arguments")


def _references(public: Iterable[Parameter], name: str, place: Place) -> dict[str, Referent]:
    found: dict[str, Referent] = {}
    for each in public:
        if isinstance(each.default, Reference):
            if each.kind is Parameter.POSITIONAL_ONLY:
                problem = f"'{each.name}' takes {each.default!r} and is positional-only, but a run fills it in by name"
                raise BodyError(name, place, problem, "move it behind the `/`")
            found[each.name] = referent_of(each.default)
        elif isinstance(each.default, Declared):
            label = each.default._declared.label
            problem = f"the default of '{each.name}' is the task '{label}' itself"
            raise BodyError(name, place, problem, f"write {label}.output for what it returns")
        elif isinstance(each.default, Provided):
            problem = f"the default of '{each.name}' is {each.default!r} itself"
            raise BodyError(name, place, problem, "write .output behind it")
        elif _holds_reference(each.default):
            problem = f"the default of '{each.name}' holds a reference inside a {type(each.default).__name__}"
            raise BodyError(name, place, problem, "give each reference a parameter of its own")
    return found


def _holds_reference(default: object) -> bool:
    if isinstance(default, dict):
        default = list(cast("Mapping[Any, object]", default).values())
    if not isinstance(default, (list, tuple, set, frozenset)):
        return False
    return any(isinstance(value, Reference) for value in cast("Iterable[object]", default))
