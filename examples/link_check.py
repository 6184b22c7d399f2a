"""Checks the links of a documentation site; the exit code is 1 when one of them is broken.

    python -m treetask examples/link_check.py:tree --url http://127.0.0.1:8000/ --depth 2

Without `--url` it checks a site of its own, made of Python's standard library and served on 127.0.0.1: some 150 pages
with four broken links, one page that is slow and one that is flaky.

Whatever is linked on the same host is fetched once, in worker threads, no faster than a host may like, and again after
an error that may pass. Then each page is a group with a task for each of its links, and what was fetched answers them.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit
from urllib.request import urlopen

from treetask import Registry, Retry, Return, Spawns, TaskFailed, TaskNode, TreeFailed

tree = Registry("links", on_failure="continue")
host = tree.limit("host", max_concurrency=6, per_second=60)


@dataclass(frozen=True)
class Settings:
    """What to check: the links of all pages that are at most so many clicks away from the one at `url`."""

    url: str = ""
    depth: int = 10

    def __post_init__(self) -> None:
        if self.url and urlsplit(self.url).scheme not in {"http", "https"}:
            raise ValueError(f"url is '{self.url}'; expected http://... or https://...")
        if self.depth < 0:
            raise ValueError(f"depth is {self.depth}; expected a number of clicks from 0")


settings = tree.params(Settings)


@dataclass(frozen=True)
class Document:
    """What is at an address: where its links lead, and its anchors (None for what is no page). Or what is wrong."""

    links: tuple[str, ...] = ()
    anchors: frozenset[str] | None = None
    problem: str | None = None


class BrokenLink(Exception):
    """A link to what is not there."""

    def __init__(self, page: str, target: str, problem: str) -> None:
        super().__init__(problem)
        self.page = page
        self.target = target


@tree.resource
async def first_page(url: str = settings.output.url) -> AsyncIterator[str]:
    """The address to begin at; where none is given, of a site that is served until the end of the run."""
    if url:
        yield url
    else:
        os.environ["no_proxy"] = "127.0.0.1"  # to a proxy that is another machine
        with library_served() as own:
            yield own


def may_pass(error: Exception) -> bool:
    """Whether it is worth another attempt: not what the server has answered for good."""
    return error.code >= 500 if isinstance(error, HTTPError) else isinstance(error, (OSError, HTTPException))


@tree.task(limits=[host], retry=Retry(on=may_pass, attempts=3))
def fetch(address: str, url: str = first_page.output) -> Document:
    """Read what is at an address of the site."""
    origin = origin_of(url)
    try:
        with urlopen(origin + address, timeout=10) as response:  # noqa: S310 - http or https, as the settings say
            if response.headers.get_content_type() != "text/html" or not response.url.startswith(f"{origin}/"):
                return Document()
            text = response.read().decode(response.headers.get_content_charset("utf-8"), "replace")
    except HTTPError as refusal:
        refusal.close()
        raise
    page = Reader()
    page.feed(text)
    targets = dict.fromkeys(resolved(response.url, link) for link in page.links)
    inside = tuple(target.removeprefix(origin) for target in targets if target.startswith(f"{origin}/"))
    return Document(inside, frozenset(page.anchors))


@tree.group(on_failure="continue")
async def crawl(url: str = first_page.output, depth: int = settings.output.depth) -> Spawns[dict[str, Document]]:
    """Fetch the first page, what it links to, what that links to, and so on."""
    start = urldefrag(resolved(url, "")).url.removeprefix(origin_of(url)) or "/"
    children = {start: fetch.child(start)}
    yield children[start]
    if (await children[start]).anchors is None:
        raise ValueError(f"there is no page at {url}, or it has moved to another site")
    found: dict[str, Document] = {}
    queue = [(start, 0)]
    for address, clicks in queue:  # which grows meanwhile
        try:
            document = await children[address]
        except TaskFailed as failure:
            document = Document(problem=failure.child.node.error)
        # What is too deep has been fetched for the sake of those that link to it.
        found[address] = document if clicks <= depth else replace(document, links=())
        for target in (urldefrag(link).url for link in found[address].links):
            if target not in children:  # else it is fetched already, or will be
                children[target] = fetch.child(target)
                yield children[target]
                queue.append((target, clicks + 1))
    yield Return(found)


@tree.group(on_failure="continue")
async def check(found: dict[str, Document] = crawl.output) -> Spawns[None]:
    """Check the links of all pages."""
    yield [page.child(address) for address, document in found.items() if document.links]


@tree.group(on_failure="continue", keep_done="rollup")
async def page(address: str, found: dict[str, Document] = crawl.output) -> Spawns[None]:
    """Check the links of a page; those that are fine are counted and forgotten."""
    yield [link.child(address, target).keyed(target) for target in found[address].links]


@tree.task
async def link(address: str, target: str, found: dict[str, Document] = crawl.output) -> None:
    """Check a link by what was found where it leads."""
    where, anchor = urldefrag(target)
    document = found[where]
    if document.problem is not None:
        raise BrokenLink(address, target, document.problem)
    if anchor and document.anchors is not None and unquote(anchor) not in document.anchors:
        raise BrokenLink(address, target, f"there is no '#{anchor}' on that page")


@tree.task(depends_on=[check.optional])
def report(node: TaskNode, found: dict[str, Document] = crawl.output) -> None:
    """Print what is broken, a line for each link."""
    broken = [each.exception for each in node.get_root().walk() if isinstance(each.exception, BrokenLink)]
    for each in broken:
        print(f"{each.page}: {each.target}: {each}")
    counts = [len(document.links) for document in found.values() if document.links]
    print(f"pages: {len(counts):,}, links: {sum(counts):,}, broken: {len(broken):,}")


def origin_of(url: str) -> str:
    """What the addresses of all pages of a site begin with."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


def resolved(base: str, link: str) -> str:
    """The address that a link on a page leads to, spelt as a server wants it."""
    try:
        address = urljoin(base, link.strip())
    except ValueError:
        address = urljoin(base, quote(link))  # it is no address, and nothing will be found there
    return quote(address, safe="!#$%&'()*+,/:;=?@[]")


class Reader(HTMLParser):
    """Reads a page for what it links to and what can be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"top"}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag has of both."""
        for name, value in attrs:
            if value and name in {"href", "src"}:
                self.links.append(value)
            elif value and (name == "id" or (name == "name" and tag == "a")):
                self.anchors.add(value)


# -- a site to try it on ----------------------------------------------------------------------------------------------

MODULES = {path.stem: path for path in sorted(Path(sysconfig.get_path("stdlib")).glob("[a-z]*.py"))}
BROKEN = {"index": "logo.png", "calendar": "datetime.html#Today", "tabnanny": "/tea?pot=1", "this": "zen.html"}


class Library(BaseHTTPRequestHandler):
    """A page for each module: links to its classes and functions, which are anchors, and to what it imports."""

    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        """Answer with a page, or with what is the matter with it."""
        name = self.path.strip("/").removesuffix(".html") or "index"
        self.asked[name] += 1
        time.sleep(2 if name == "statistics" else 0.02)
        if name == "random" and self.asked[name] <= 2:
            self.send_error(503)
        elif name != "index" and name not in MODULES:
            self.send_error(404)
        else:
            text = "" if name == "index" else MODULES[name].read_text("utf-8", "replace")
            names = dict.fromkeys(re.findall(r"^(?:class|def) (\w+)", text, re.MULTILINE))
            imports = MODULES.keys() & re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)
            links = [f"{each}.html" for each in sorted(imports if text else MODULES)] + BROKEN.get(name, "").split()
            items = [f'<a id="{each}" href="#{each}">{each}</a>' for each in names]
            items += [f'<a href="{each}">{each}</a>' for each in links]
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"<h1>{name}</h1>{' '.join(items)}".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def library_served() -> Generator[str, None, None]:
    """Serve it on this machine alone, at a port that is free."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Library) as server:
        thread = Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    try:
        tree.run_sync()
    except TreeFailed:
        sys.exit(1)
