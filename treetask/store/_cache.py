"""Results that later runs take over: of the same declaration, in the same version, for the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from treetask._errors import TreeTaskError, words_of
from treetask.dsl import cache_of, data_of, declaration_of, key_parameters, version_of
from treetask.model import TaskNode
from treetask.store._dialect import Connection
from treetask.store._text import key_text
from treetask.store._typed_form import digest_of

_COLUMNS: Final = ("declaration", "digest", "result", "stored_at")
_KEY: Final = ("declaration", "digest")


class CacheKeyError(TreeTaskError):
    """A `cache=` function that raised; `__cause__` is what."""

    def __init__(self, node_id: str, error: Exception) -> None:
        super().__init__(f"the cache key of '{node_id}' could not be made: {words_of(error)}")
        self.node_id = node_id


class Kept(NamedTuple):
    """A result to keep, as `encode_result` writes it."""

    declaration: str
    digest: str
    result: bytes
    #: Seconds since the epoch.
    stored_at: float


def inputs_digest(node: TaskNode) -> tuple[str, str] | None:
    """Return the declaration of a node that is about to run, and what tells its inputs; None for no such cache.

    It is asked when all that the node needs has ended. None, too, where the inputs cannot be told: a Secret is among
    them, or an object that may hold more than is seen. A `cache=` function can leave those out. Raises `CacheKeyError`
    if that function raises.
    """
    cache, declared = cache_of(node), declaration_of(node)
    if cache is None or declared is None:
        return None
    data = data_of(node)
    # By name, in whichever way and order they were given.
    told = sorted(data.items(), key=itemgetter(0)) if cache == "inputs" else _key(cache, node, data)
    digest = digest_of((version_of(node), cache == "inputs", told))
    return None if digest is None else (key_text(declared.path), digest)


def lookup(connection: Connection, declaration: str, digest: str) -> bytes | None:
    """Return the result that was kept for these inputs, to be read by `decode_result`; None if there is none."""
    row = connection.row("select result from cache where declaration = ? and digest = ?", (declaration, digest))
    return None if row is None else bytes(row[0])


def keep(connection: Connection, results: Sequence[Kept]) -> None:
    """Keep results for later runs; later ones replace earlier ones for the same inputs."""
    connection.insert("cache", _COLUMNS, results, key=_KEY, replace=("result", "stored_at"))


def _key(cache: Callable[..., object], node: TaskNode, data: dict[str, Any]) -> object:
    taken = key_parameters(cache)
    try:
        return cache(**{name: value for name, value in data.items() if taken is None or taken.takes_keyword(name)})
    except Exception as error:
        raise CacheKeyError(node.id, error) from error
