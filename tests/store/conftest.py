"""A store of each kind for every test that asks for one: a file, and a schema of its own on a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from treetask.store import Store

SERVER = os.environ.get("TREETASK_TEST_POSTGRES", "")


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL database as the only user of it would see it: a schema that is gone after the test."""
    if not SERVER:
        pytest.skip("TREETASK_TEST_POSTGRES names no server")
    schema = f"treetask_{uuid4().hex}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"create schema {schema}".encode())
        try:
            yield f"{SERVER}{'&' if '?' in SERVER else '?'}options=-csearch_path%3D{schema}"
        finally:
            connection.execute(f"set client_min_messages = warning; drop schema {schema} cascade".encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What a `Store` is opened with, of either kind; nothing is there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store of either kind, open."""
    with Store(store_url) as store:
        yield store
