"""What becomes of a store when files, disks and servers fail: each is told by name, and what was committed stays."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.sentences import exactly
from tests.store.conftest import SERVER
from treetask.store import Connection, Store, StoreCorruptedError, StoreUnavailableError
from treetask.store._writer import Writer

ROOT = Path(__file__).resolve().parents[2]

NOBODY = 65534
"""A user who may do nothing, for tests that root runs."""

ALIEN = "the file is no SQLite database; name another file; this one is left as it is"
DAMAGED = "the file is damaged; put a copy in its place, or name another file"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that anybody may read."""
    folder = Path(tempfile.mkdtemp(prefix="treetask-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def read_only(*paths: Path) -> Generator[None]:
    """Have nothing here be written by this process."""
    if sys.platform == "win32":
        pytest.skip("rights are of another kind")
    user = os.geteuid()
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)


def filled(path: Path, count: int = 2_000) -> bytes:
    """A store with so many nodes in it, and its bytes."""
    with Store(path) as store, store.transaction() as connection:
        rows = [(1, f"key {number}", "x" * 50) for number in range(count)]
        connection.insert("nodes", ("run", "key", "error"), rows)
    return path.read_bytes()


def test_folder_that_cannot_be_written(folder: Path) -> None:
    """The file, and what to check."""
    path = folder / "runs.db"

    message = "the file cannot be opened; check the path, and the rights on the file and its folder"
    with read_only(folder), pytest.raises(StoreUnavailableError, match=exactly(f"store {path}: {message}")):
        Store(path)


def test_default_folder_that_cannot_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a project that is somebody else's."""
    (folder / "pyproject.toml").touch()
    monkeypatch.chdir(folder)

    message = (
        "store .treetask/journal.db: its folder cannot be used: Permission denied; "
        "give yourself the right to, or name another file"
    )
    with read_only(folder), pytest.raises(StoreUnavailableError, match=exactly(message)):
        Store()


def test_file_that_cannot_be_written(folder: Path) -> None:
    """Found when it is opened, not in the middle of a run; what is in it stays."""
    path = folder / "runs.db"
    before = filled(path)

    with (
        read_only(path),
        pytest.raises(StoreUnavailableError, match=rf"\Astore {path}: .*; .*rights? .* file and its folder\Z"),
    ):
        Store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "it is a folder; name a file in it"),
        ("nowhere/runs.db", "its folder does not exist; make that, or name another file"),
        ("file/runs.db", "its folder does not exist; make that, or name another file"),
    ],
)
def test_path_that_cannot_be_a_file(name: str, problem: str, tmp_path: Path) -> None:
    """Said before SQLite says less."""
    (tmp_path / "file").touch()
    path = tmp_path / name

    with pytest.raises(StoreUnavailableError, match=exactly(f"store {path}: {problem}")):
        Store(path)


@pytest.mark.parametrize("content", [b"hi", b"# Notes\n" * 1_000, b"SQLite format 2\0" + b"x" * 5_000, b"\0" * 8_192])
def test_file_that_is_no_database_is_refused(content: bytes, tmp_path: Path) -> None:
    """And left as it was."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)

    with pytest.raises(StoreCorruptedError, match=exactly(f"store {path}: {ALIEN}")):
        Store(path)
    assert path.read_bytes() == content


def test_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """As `mktemp` leaves one."""
    path = tmp_path / "runs.db"
    path.touch()

    with Store(path):
        assert path.stat().st_size > 0


def test_file_cut_short_is_told(tmp_path: Path) -> None:
    """As a copy leaves one that was not finished."""
    path = tmp_path / "runs.db"
    whole = filled(path)
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(StoreCorruptedError, match=exactly(f"store {path}: {DAMAGED}")):
        read_all(path)


def test_file_with_other_bytes_in_it_is_told(tmp_path: Path) -> None:
    """The pages of tables are overwritten, the first one is not."""
    path = tmp_path / "runs.db"
    whole = filled(path)
    path.write_bytes(whole[:4_096] + b"\xa5" * (len(whole) - 4_096))

    with pytest.raises(StoreCorruptedError, match=exactly(f"store {path}: {DAMAGED}")):
        read_all(path)


def read_all(path: Path) -> None:
    """Open a store and read all its nodes."""
    with Store(path) as store, store.reading() as connection:
        connection.rows("select * from meta")
        connection.rows("select * from nodes")


def test_file_held_by_another_process(tmp_path: Path) -> None:
    """Nobody waits for ever, and nothing is broken by it."""
    path = tmp_path / "runs.db"
    with Store(path, busy_timeout=0.01) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("begin immediate")

        message = "another process has held it for longer than 0.01 s; end that one, or name another file"
        with pytest.raises(StoreUnavailableError, match=exactly(f"store {path}: {message}")), store.transaction():
            pass
        other.execute("rollback")
        with store.transaction() as connection:
            connection.insert_new("runs", ("status",), ("done",))
        other.close()


def test_new_file_held_by_another_process(tmp_path: Path) -> None:
    """How the file is kept cannot be changed meanwhile either."""
    path = tmp_path / "runs.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")

    message = "another process has held it for longer than 0.01 s; end that one, or name another file"
    with pytest.raises(StoreUnavailableError, match=exactly(f"store {path}: {message}")):
        Store(path, busy_timeout=0.01)
    other.close()


def test_row_held_by_another_process(postgresql_url: str) -> None:
    """On a server it is a row that is held; nobody waits for it for ever."""
    with Store(postgresql_url) as first, Store(postgresql_url, busy_timeout=0.01) as second:
        with first.transaction() as connection:
            connection.insert_new("runs", ("status",), ("done",))
        change = "update runs set status = 'x'"

        message = "another process has held a row for longer than 0.01 s; end that one, or name another database"
        with first.transaction() as connection:
            connection.execute(change)
            with pytest.raises(StoreUnavailableError, match=exactly(f"store {second.url}: {message}")):
                with second.transaction() as other:
                    other.execute(change)
        with second.transaction() as other:
            assert other.execute(change) == 1


def test_full_disk_ends_the_writer_and_keeps_what_was_told(tmp_path: Path) -> None:
    """What `on_written` has told is there, whole batches of it, and the store can be read."""
    path = tmp_path / "runs.db"
    written: list[int] = []
    errors: list[BaseException] = []
    with Store(path) as store:

        def small() -> Connection:
            connection = store.connect()
            connection.rows("pragma max_page_count = 200")
            return connection

        def write(connection: Connection, batch: list[int]) -> None:
            connection.insert("nodes", ("run", "key", "result"), [(1, str(number), b"x" * 300) for number in batch])

        writer = Writer(small, write, written.extend, errors.append)
        for number in range(5_000):
            writer.put(number)
        message = "no more can be written: database or disk is full; make room, then start again"
        with pytest.raises(StoreUnavailableError, match=exactly(f"store {path}: {message}")) as raised:
            writer.close()

        assert errors == [raised.value]
        assert writer.backlog == 5_000 - len(written) > 0
        with store.transaction() as connection:
            assert connection.row("select count(*) from nodes") == (len(written),)
            connection.insert_new("runs", ("status",), ("failed",))


LIMITED = """
import resource, sys
from treetask.store import Store, StoreUnavailableError
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
with Store(sys.argv[1]) as store:
    try:
        for number in range(1_000):
            with store.transaction() as connection:
                connection.insert("nodes", ("run", "key", "result"), [(1, str(number), b"x" * 2_000)])
            print(number, flush=True)
    except StoreUnavailableError as error:
        print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no limit for the size of files")
def test_file_that_may_not_grow(tmp_path: Path) -> None:
    """A write that the system refuses is told, and every number that was printed before is in the file."""
    path = tmp_path / "runs.db"
    command = [sys.executable, "-c", LIMITED, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    *numbers, message = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert message.startswith(f"store {path}: ")
    assert "disk" in message
    with Store(path) as store, store.reading() as connection:
        stored = {key for (key,) in connection.rows("select key from nodes")}
    assert numbers
    assert set(numbers) <= stored


def cut(connection: Connection) -> None:
    """End the server's side of a connection, and wait until it has gone."""
    row = connection.row("select pg_backend_pid()")
    with psycopg.connect(SERVER, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 10000)", row)


def test_server_that_cut_the_connection_is_connected_to_again(postgresql_url: str) -> None:
    """Nobody notices, where nothing was under way: before a transaction, a statement, a bulk insert."""
    rows = [(1, str(number)) for number in range(200)]
    with Store(postgresql_url) as store:
        for _ in range(2):
            with store.reading() as connection:
                cut(connection)
                assert connection.rows("select * from runs") == []
                cut(connection)
            with store.transaction() as connection:
                connection.insert("nodes", ("run", "key"), rows, key=("run", "key"))
        with store.reading() as connection:
            assert connection.row("select count(*) from nodes") == (200,)


@pytest.mark.parametrize("count", [1, 200])
def test_transaction_whose_server_went_is_undone(postgresql_url: str, count: int) -> None:
    """It raises, also at its end, and the next one is on a connection of its own."""
    rows = [(1, str(number)) for number in range(count)]
    with Store(postgresql_url) as store:
        message = r"\Astore .*: terminating connection due to administrator command.*; check that the server runs"
        with pytest.raises(StoreUnavailableError, match=message), store.transaction() as connection:
            connection.insert("nodes", ("run", "key"), rows)
            cut(connection)
            connection.insert("nodes", ("run", "key"), rows)
        with pytest.raises(StoreUnavailableError), store.transaction() as connection:
            connection.insert("nodes", ("run", "key"), rows)
            cut(connection)

        with store.transaction() as connection:
            assert connection.row("select count(*) from nodes") == (0,)
            connection.insert("nodes", ("run", "key"), rows)


def test_server_that_may_not_be_written(postgresql_url: str) -> None:
    """A replica, say."""
    with pytest.raises(
        StoreUnavailableError, match=r"no more can be written: cannot execute .* in a read-only transaction"
    ):
        Store(f"{postgresql_url}%20-cdefault_transaction_read_only%3Don")


def test_schema_that_is_not_there(postgresql_url: str) -> None:
    """The path names one that nobody has made."""
    message = r"no schema has been selected to create in.*; have its owner give this user a schema to make tables in\Z"
    with pytest.raises(StoreUnavailableError, match=message):
        Store(f"{postgresql_url}x")


FIX = "check that the server runs, and its name, port, user, password and database in the URL"


def test_database_that_is_not_there() -> None:
    """In the server's words, with where it was looked for."""
    if not SERVER:
        pytest.skip("TREETASK_TEST_POSTGRES names no server")
    url = SERVER.partition("?")[0].rpartition("/")[0] + "/treetask_nowhere"

    with pytest.raises(StoreUnavailableError, match=rf'FATAL: database "treetask_nowhere" does not exist; {FIX}\Z'):
        Store(url)


def test_database_of_another_encoding() -> None:
    """Found when it is opened, not when the first emoji comes."""
    if not SERVER:
        pytest.skip("TREETASK_TEST_POSTGRES names no server")
    name = f"treetask_{uuid4().hex}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        options = "encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0"
        connection.execute(f"create database {name} {options}".encode())
        try:
            message = (
                "its encoding is LATIN1, in which not every text can be kept; name a database whose encoding is UTF8"
            )
            with pytest.raises(StoreUnavailableError, match=message):
                Store(SERVER.partition("?")[0].rpartition("/")[0] + f"/{name}")
        finally:
            connection.execute(f"drop database {name}".encode())


def test_server_that_is_not_there() -> None:
    """Host, port, user and database, and not the password."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(StoreUnavailableError) as raised:
            Store(f"postgresql://ann:s3cret@127.0.0.1:{port}/runs")

    message = str(raised.value)
    assert message.startswith(f"store postgresql://ann@127.0.0.1:{port}/runs: connection failed: ")
    assert message.endswith(f"; {FIX}")
    assert "s3cret" not in message


def test_password_that_is_wrong() -> None:
    """The server's words, in which nobody finds the password, whatever it says."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=refuse_password, args=(server,))
        thread.start()
        port = server.getsockname()[1]
        with pytest.raises(StoreUnavailableError) as raised:
            Store(f"postgresql://ann:s3cret@127.0.0.1:{port}/runs")
        thread.join()

    message = str(raised.value)
    assert message.startswith(f"store postgresql://ann@127.0.0.1:{port}/runs: connection failed: ")
    assert message.endswith(f'FATAL: no user "ann" with "***"; {FIX}')
    cause: BaseException | None = raised.value
    while cause is not None:
        assert "s3cret" not in str(cause)
        cause = cause.__cause__


def refuse_password(server: socket.socket) -> None:
    """Speak PostgreSQL's protocol as far as to ask for a password, and refuse it."""
    client, _ = server.accept()
    with client:
        while True:
            size, code = struct.unpack("!ii", client.recv(8))
            if code == 196_608:  # the version of the protocol: this is the request to begin
                break
            client.sendall(b"N")  # neither SSL nor GSSAPI
        client.recv(size - 8)
        client.sendall(struct.pack("!cii", b"R", 8, 3))
        password = client.recv(1_000)[5:-1].decode()
        fields = f'SFATAL\0VFATAL\0C28P01\0Mno user "ann" with "{password}"\0\0'.encode()
        client.sendall(struct.pack("!ci", b"E", len(fields) + 4) + fields)


@pytest.mark.parametrize(
    "url", ["postgresql://h/d?nonsense=1", "postgresql://h%zz/d", "postgresql://h/d?connect_timeout=x"]
)
def test_url_that_psycopg_refuses(url: str) -> None:
    """What only it can know is told as well."""
    with pytest.raises(StoreUnavailableError, match=rf"; {FIX}\Z"):
        Store(url)


def test_psycopg_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install, before anything is connected to."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "treetask.store._postgresql", raising=False)

    message = (
        "store postgresql://h/d: it needs psycopg, which cannot be loaded "
        "(import of psycopg halted; None in sys.modules); install 'treetask[postgres]'"
    )
    with pytest.raises(StoreUnavailableError, match=exactly(message)):
        Store("postgresql://h/d")
