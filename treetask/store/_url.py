"""Which store a text means: a file, memory or a PostgreSQL database. Opens nothing, and shows no password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from treetask._errors import short_path
from treetask.store._errors import StoreUnavailableError, StoreUrlError
from treetask.store._text import clean

#: The folder of the default place, and the journal in it.
FOLDER: Final = ".treetask"
JOURNAL: Final = "journal.db"
#: What tells the folder of a project.
_MARKS: Final = ("pyproject.toml", ".git")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://|(sqlite|file|postgres|postgresql):", re.IGNORECASE)
_POSTGRESQL: Final = re.compile(
    r"""postgres(?:ql)?://
    (?:(?P<user>[^:@/?]*) (?: :(?P<password>[^@/?]*))? @)?
    (?P<hosts>(?:[^:@/?,\[\]]*|\[[0-9A-Fa-f:.%]+\])(?::[0-9]*)?(?:,(?:[^:@/?,\[\]]*|\[[0-9A-Fa-f:.%]+\])(?::[0-9]*)?)*)
    (?:/(?P<database>[^/?]*))?
    (?:\?(?P<options>[A-Za-z_]+=[^&=]*(?:&[A-Za-z_]+=[^&=]*)*))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: What of the options of a URL tells people where a database is.
_TELLING: Final = ("host", "port", "dbname", "user", "options")


class Kind(Enum):
    """What keeps a store."""

    FILE = "file"
    """SQLite, in a file."""
    MEMORY = "memory"
    """SQLite, in this process and for as long as the store is open."""
    SERVER = "server"
    """PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is, and how it is shown."""

    kind: Kind
    shown: str
    #: The file, where there is one.
    path: Path | None = None
    #: Whether it is the default place, whose folder is made when it is needed.
    is_default: bool = False
    #: What psycopg connects to; with the password.
    url: str = field(default="", repr=False)
    #: What must not be shown.
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def without_secrets(self, text: str) -> str:
        """Return what somebody said about this store, without the password."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def address_of(given: str | os.PathLike[str] | None) -> Address:
    """Return where a store is: by its path, by its URL, or for None in the default place.

    Raises `StoreUrlError` for anything else.
    """
    if given is None:
        path = default_path()
        return Address(Kind.FILE, short_path(str(path)), path, is_default=True)
    text = os.fspath(given)
    if not isinstance(text, str):
        raise StoreUrlError(clean(repr(text)), "a path must be text, not bytes")
    scheme = _SCHEME.match(text) if isinstance(given, str) else None
    if scheme is None:
        return Address(Kind.MEMORY, ":memory:") if text == ":memory:" else _file(text, text)
    name = (scheme[1] or scheme[2]).lower()
    if name == "sqlite" and scheme[1]:
        return _sqlite(text)
    if name in {"postgresql", "postgres"} and scheme[1]:
        return _postgresql(text)
    raise StoreUrlError(_without_password(text), _unknown(name, slashed=scheme[1] is not None))


def default_path() -> Path:
    """Return where the journal is when nobody says: below the project's folder, or else below the current one."""
    try:
        here = Path.cwd()
    except OSError as error:
        raise StoreUnavailableError(
            f"{FOLDER}/{JOURNAL}", "the current folder is gone", "change to another one, or name a store"
        ) from error
    project = next(
        (folder for folder in (here, *here.parents) if any((folder / mark).exists() for mark in _MARKS)), here
    )
    return project / FOLDER / JOURNAL


def _file(text: str, given: str) -> Address:
    if not text.strip():
        raise StoreUrlError(given, "it is empty")
    if "\0" in text:
        raise StoreUrlError(clean(given), "a path cannot have the character NUL")
    path = Path(text).absolute()
    return Address(Kind.FILE, clean(short_path(str(path))), path)


def _sqlite(text: str) -> Address:
    rest = text[len("sqlite://") :]
    if rest in {"", "/", "/:memory:"}:
        return Address(Kind.MEMORY, "sqlite://")
    if not rest.startswith("/"):
        raise StoreUrlError(
            text, f"'{rest.partition('/')[0]}' stands where a host would; a path begins after three slashes"
        )
    if "?" in rest:
        raise StoreUrlError(text, "the URL of a file takes no parameters after '?'")
    return _file(rest[1:], text)


def _postgresql(text: str) -> Address:
    match = _POSTGRESQL.fullmatch(text)
    if match is None:
        raise StoreUrlError(
            _without_password(text), "it cannot be read; write /, ?, @, :, = and & in a name or password as %2F, %3F, …"
        )
    options = [option.partition("=") for option in (match["options"] or "").split("&") if option]
    shown = "postgresql://" + (f"{match['user']}@" if match["user"] else "") + match["hosts"]
    shown += "" if match["database"] is None else f"/{match['database']}"
    told = "&".join(f"{name}={value}" for name, _, value in options if name.lower() in _TELLING)
    passwords = [match["password"] or "", *(value for name, _, value in options if "password" in name.lower())]
    shown = clean(shown + (f"?{told}" if told else ""))
    # A password that is the user's name, say, is shown anyhow, and messages are to name the user.
    secrets = {form for each in passwords for form in (each, unquote(each)) if form not in shown}
    return Address(Kind.SERVER, shown, url=text, secrets=tuple(sorted(secrets, key=len, reverse=True)))


def _without_password(text: str) -> str:
    """Return a URL that could not be read with all that may be a password left out."""
    scheme, slashes, rest = text.partition("://")
    if not slashes:
        return text.partition(":")[0] + ":…"
    if not re.search("[@:]|pass", rest, re.IGNORECASE):
        return clean(text)
    return f"{scheme}://…" + (f"@{rest.rpartition('@')[2]}" if rest.count("@") == 1 and "?" not in rest else "")


def _unknown(scheme: str, *, slashed: bool) -> str:
    base = scheme.partition("+")[0]
    if base in {"sqlite", "postgresql", "postgres"} and scheme != base:
        return f"a driver is not chosen here, write '{base}://'"
    if not slashed:
        return (
            f"'{scheme}:' needs two slashes"
            if base != "file"
            else "'file:' is not a scheme of a store, give the path alone"
        )
    return f"'{scheme}' is not a scheme of a store"
