"""What names a store, what does not, and that no password is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sentences import exactly
from treetask.store import Store, StoreUnavailableError, StoreUrlError
from treetask.store._url import Kind, address_of, default_path

EXPECTED = (
    "; expected a path, 'sqlite:///relative.db', 'sqlite:////absolute.db', 'sqlite://' (in memory) or "
    "'postgresql://user@host:5432/database'"
)


@pytest.mark.parametrize("url", ["runs.db", Path("runs.db"), "sqlite:///runs.db", "SQLite:///runs.db", "./runs.db"])
def test_file_is_named_by_path_or_url(url: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the current folder, at the time of asking."""
    monkeypatch.chdir(tmp_path)

    address = address_of(url)

    assert (address.kind, address.path, address.shown) == (Kind.FILE, tmp_path / "runs.db", "runs.db")


def test_absolute_path_takes_four_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of the URL and one of the path."""
    monkeypatch.chdir(tmp_path)

    assert address_of(f"sqlite:///{tmp_path / 'a' / 'b ü?.db'.replace('?', '')}").path == tmp_path / "a" / "b ü.db"
    assert address_of("sqlite:////nowhere/b.db").path == Path("/nowhere/b.db").absolute()
    assert address_of("b?.db").path == tmp_path / "b?.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", ":memory:", "sqlite:///"])
def test_memory(url: str) -> None:
    """No file is named."""
    assert (address_of(url).kind, address_of(url).path) == (Kind.MEMORY, None)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:s3cret@db.example:5433/runs", "postgresql://ann@db.example:5433/runs"),
        ("postgres://ann:s3cret%40x@db.example/runs", "postgresql://ann@db.example/runs"),
        ("postgresql://ann@/runs?host=/run/pg&password=s3cret", "postgresql://ann@/runs?host=/run/pg"),
        ("postgresql://h1:1,h2:2/runs?sslpassword=s3cret", "postgresql://h1:1,h2:2/runs"),
        ("postgresql:///runs?options=-csearch_path%3Dx", "postgresql:///runs?options=-csearch_path%3Dx"),
        ("postgresql://[::1]:5432/runs", "postgresql://[::1]:5432/runs"),
        ("postgresql://", "postgresql://"),
    ],
)
def test_server_is_shown_without_password(url: str, shown: str) -> None:
    """Nothing of the address that could be printed has it; what is connected to has."""
    address = address_of(url)

    assert (address.kind, address.shown, address.url) == (Kind.SERVER, shown, url)
    assert "s3cret" not in repr(address)


def test_what_others_say_is_shown_without_password() -> None:
    """Neither as it is nor as it is written in the URL; a word that stands elsewhere in the URL tells nothing."""
    hidden = address_of("postgresql://ann:s3cret%40x@db/runs")
    known = address_of("postgresql://ann:ann@db/runs")

    assert hidden.without_secrets("ann with s3cret%40x or s3cret@x") == "ann with *** or ***"
    assert known.without_secrets("no user ann") == "no user ann"


@pytest.mark.parametrize(
    ("url", "given", "problem"),
    [
        ("", "''", "it is empty"),
        ("a\0b", r"'a\\x00b'", "a path cannot have the character NUL"),
        (
            "sqlite://runs.db",
            "'sqlite://runs.db'",
            "'runs.db' stands where a host would; a path begins after three slashes",
        ),
        ("sqlite:///runs.db?mode=ro", None, "the URL of a file takes no parameters after '?'"),
        ("sqlite:runs.db", "'sqlite:…'", "'sqlite:' needs two slashes"),
        ("file:runs.db", "'file:…'", "'file:' is not a scheme of a store, give the path alone"),
        ("postgresql:runs", "'postgresql:…'", "'postgresql:' needs two slashes"),
        (
            "postgresql+psycopg://a:s3cret@h/d",
            "'postgresql+psycopg://…@h/d'",
            "a driver is not chosen here, write 'postgresql://'",
        ),
        ("mysql://a:s3cret@h/d", "'mysql://…@h/d'", "'mysql' is not a scheme of a store"),
        ("redis://h/0", "'redis://h/0'", "'redis' is not a scheme of a store"),
        *(
            (url, given, "it cannot be read; write /, ?, @, :, = and & in a name or password as %2F, %3F, …")
            for url, given in [
                ("postgresql://a:s3cret/x@h/d", "'postgresql://…@h/d'"),
                ("postgresql://a:s3cret@x@h/d", "'postgresql://…'"),
                ("postgresql://a:s3cret?x@h/d", "'postgresql://…'"),
                ("postgresql://h:s3cret/d", "'postgresql://…'"),
                ("postgresql://h/d?password", "'postgresql://…'"),
                ("postgresql://h/d/e", "'postgresql://h/d/e'"),
            ]
        ),
    ],
)
def test_what_names_no_store_is_refused(url: str, given: str | None, problem: str) -> None:
    """With what is wrong, what is expected, and no password."""
    with pytest.raises(StoreUrlError, match=exactly(f"store {given or repr(url)}: {problem}{EXPECTED}")) as raised:
        Store(url)

    assert "s3cret" not in repr(raised.value)


def test_bytes_are_no_path() -> None:
    """`os.fspath` takes objects whose path is bytes; we do not."""

    class Raw:
        def __fspath__(self) -> bytes:
            return b"x"

    with pytest.raises(StoreUrlError, match="a path must be text, not bytes"):
        Store(Raw())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - on purpose


@pytest.mark.parametrize("mark", ["pyproject.toml", ".git"])
def test_default_place_is_in_the_project(mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From anywhere in a project it is the same one."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / mark).touch()
    monkeypatch.chdir(deep)

    assert default_path() == tmp_path / ".treetask" / "journal.db"


def test_default_place_is_made_for_this_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git does not see the folder, and others do not see into it; it is there when a store is opened, not before."""
    (tmp_path / ".git").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        StoreUnavailableError,
        match=exactly(
            "store .treetask/journal.db: there is no such file; check the path, or start a run that keeps a journal"
        ),
    ):
        Store(create=False)
    assert not Path(".treetask").exists()

    with Store() as store:
        assert (store.url, repr(store)) == (".treetask/journal.db", "Store('.treetask/journal.db')")

    assert Path(".treetask/journal.db").is_file()
    assert Path(".treetask/.gitignore").read_text() == "*\n"
    assert Path(".treetask").stat().st_mode & 0o777 == 0o700


def test_default_place_that_is_taken_or_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of that name is said to be one; what git is told is written where a full disk has cut it off."""
    (tmp_path / ".git").touch()
    monkeypatch.chdir(tmp_path)
    Path(".treetask").touch()
    message = (
        "store .treetask/journal.db: '.treetask' is there already, and no folder; move it away, or name another file"
    )
    with pytest.raises(StoreUnavailableError, match=exactly(message)):
        Store()

    Path(".treetask").unlink()
    Path(".treetask").mkdir()
    Path(".treetask/.gitignore").touch()
    Store().close()
    assert Path(".treetask/.gitignore").read_text() == "*\n"
