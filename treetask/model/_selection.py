"""What of a tree is selected: before the run, and of what comes in while it lasts.

A node is selected that a selector of `only` means, and all that is below it; without `only`, everything is. What a
selector of `skip` means is not, nor what is below it. What is above a selected node stays, since it holds it, and its
body runs. All else is taken out of the tree before the run: who is to wait for the end of something that is not there
does not; who takes what came of it is refused.

What is spawned is not there before the run. A selector of `only` that means nothing in the tree may mean something
that a body below it yields: so all those bodies stay that yield, and whose children it could mean by their ids. (One
that means something in the tree keeps no others: a name would run whatever may spawn.) A child that comes in is looked
at like the tree was: if it is not selected, nor could anything below it be, it is skipped, and what is declared below
it does not even come in. That is no failure of its parent; who awaits it is told.

What a selector with `+` means in addition goes by the dependencies that the tree has before the run, and by those
inside of what comes in, optional ones as well, from and to what is above and below. The order of a sequence is no need.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from treetask._errors import DefinitionError, NothingSelectedError, did_you_mean
from treetask.model._body import kind_of
from treetask.model._children import NO_CHILDREN, Children, append
from treetask.model._node import TaskNode
from treetask.model._options import NodeOptions, without_dependencies
from treetask.model._selectors import BETWEEN, Endings, Selector

if TYPE_CHECKING:
    from treetask.model._tree import TaskTree


class Selection:
    """What `TaskTree.select` has decided, and what it decides about nodes that come in."""

    def __init__(
        self, tree: TaskTree, only: Iterable[str], skip: Iterable[str], endings: Endings | None = None
    ) -> None:
        self._tree: Final = tree
        self._only: Final = _read("only", only, tree, endings)
        self._skip: Final = _read("skip", skip, tree, endings)
        #: Those of `only` that may mean what is spawned, and those that have meant nothing so far.
        self._open: list[Selector] = []
        self._unmet: list[Selector] = []
        #: Nodes that run only because they hold, or may get, something that is selected.
        self._held: Final[set[TaskNode]] = set()
        #: The ids of what was taken out, by whether that was skipped.
        self._gone: Final[dict[str, bool]] = {}
        #: The paths of the nodes that came in last, and of their parent.
        self._recent: dict[TaskNode, str] = {}
        self._shared: tuple[NodeOptions, NodeOptions] | None = None
        #: What is above as it was before the run.
        self._at_first: tuple[dict[str, bool], frozenset[TaskNode], list[Selector]] = {}, frozenset(), []

    @property
    def unmet(self) -> list[str]:
        """The selectors of `only` that have meant nothing so far."""
        return [selector.text for selector in self._unmet]

    @property
    def has_met(self) -> bool:
        """Whether any selector of `only` has meant anything so far, if there are any."""
        return len(self._unmet) < len(self._only) or not self._only

    def forget(self, nodes: Iterable[TaskNode]) -> None:
        """Let go nodes that were folded."""
        if self._held:
            self._held.difference_update(nodes)

    def begin_anew(self) -> None:
        """Forget what a run has brought: the tree is to run again."""
        gone, held, unmet = self._at_first
        self._unmet, self._recent = list(unmet), {}
        self._gone.clear()
        self._gone.update(gone)
        self._held.clear()
        self._held.update(held)

    # -- before the run ----------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Take out of the tree what is not selected. Raises what `TaskTree.select` says; nothing has changed then."""
        nodes = list(self._tree.walk())
        paths = _paths(nodes, {})
        found: dict[Selector, set[TaskNode]] = {}
        for selector in (*self._only, *self._skip):
            meant = [node for node in nodes if _means(selector, node, paths[node])]
            # An id that ends in a slash is that of a group with a slash too many.
            could_come = selector.state is not None or not (meant or selector.words.endswith("/"))
            makers = [node for node in nodes if could_come and _may_make(selector, node, paths[node])]
            if not meant and not makers and (selector.is_name or selector.tag is not None):
                raise self._nothing_meant(selector, nodes, paths)
            if selector in self._only and (makers if selector.state is not None else not meant):
                self._open.append(selector)
                self._unmet += [] if meant else [selector]
            found[selector] = _with_others(selector, meant, makers, nodes, self._tree.find)
        kept, skipped = self._keep(
            nodes,
            lambda node: any(node in found[selector] for selector in self._only),
            lambda node: any(node in found[selector] for selector in self._skip),
            lambda node: any(_may_make(selector, node, paths[node]) for selector in self._open),
        )
        if self._tree.root not in kept:
            raise NothingSelectedError(self._nothing_selected(nodes, paths))
        gone = {node.id: node in skipped for node in nodes if node not in kept}
        for node in kept:
            self._refuse_inputs(node, gone)
        self._gone.update(gone)
        self._held.update(held for held in kept if not kept[held])
        self._at_first = gone, frozenset(self._held), list(self._unmet)
        for node in kept:
            self._forget_dependencies(node)
            _detach(node, kept)

    def _nothing_meant(self, selector: Selector, nodes: list[TaskNode], paths: dict[TaskNode, str]) -> DefinitionError:
        if selector.tag is not None:
            tags = sorted({tag for node in nodes for tag in node.options.tags})
            return DefinitionError(f"no task has the tag '{selector.tag}'{did_you_mean(selector.tag, tags)}")
        ids = _ids(nodes, paths)
        inner = next((each for each in ids if each.endswith(f"/{selector.words}")), None)
        close = did_you_mean(selector.words, ids) if inner is None else f" (did you mean '{inner}'?)"
        spawned = any(node._body is not None and kind_of(node._body).yields for node in nodes)
        child = selector.words if selector.words.endswith("]") else f"{selector.words}[*]"
        hint = f"; what is spawned is '**/{child}'" if spawned and "/" not in selector.words else ""
        return DefinitionError(f"there is no task '{selector.words}' to select{close}{hint}")

    def _nothing_selected(self, nodes: list[TaskNode], paths: dict[TaskNode, str]) -> str:
        if not self._only:
            return "nothing is selected: all is skipped"
        words = ", ".join(f"'{selector.text}'" for selector in self._only)
        first = self._only[0]
        if len(self._only) == 1 and first.state is not None and not first.is_met:
            return f"nothing is selected by {words}: no task was {first.state} in {first.run}"
        if all(selector in self._open for selector in self._only):
            return f"nothing is selected by {words}{did_you_mean(self._only[0].words, _ids(nodes, paths))}"
        return f"nothing is selected: what {words} would select is skipped"

    # -- while the run lasts -----------------------------------------------------------------------------------------

    def admit(self, top: TaskNode, parent: TaskNode) -> bool:
        """Decide about a branch that is about to come in; take out of it what is not selected.

        Returns whether any of it is: else its top alone comes in, to be skipped. Raises `DefinitionError` for what
        takes the result of something that was taken out.
        """
        options = top.options
        if not (self._skip or self._unmet or top._children or options.depends_on or parent in self._held):
            return True  # as most are: one more child of a node that is selected
        nodes = list(top.walk())
        # Most come in below the same parent as the last ones, or below one of these.
        known = self._recent.get(parent)
        above = {parent: known} if known is not None else _paths(reversed([parent, *parent.get_ancestors()]), {})
        paths = self._recent = _paths(nodes, above, parent)
        for selector in [each for each in self._unmet if any(_means(each, node, paths[node]) for node in nodes)]:
            self._unmet.remove(selector)
        kept, skipped = self._keep(
            nodes,
            _meant_of(self._only, nodes, paths).__contains__,
            _meant_of(self._skip, nodes, paths).__contains__,
            lambda node: any(_may_make(selector, node, paths[node]) for selector in self._open),
            is_inside=parent not in self._held,
        )
        gone = {node.id: node in skipped for node in nodes if node not in kept}
        for node in kept:
            self._refuse_inputs(node, ChainMap(gone, self._gone))
        # Of what never came in, only what its own branch would wait for is asked for again.
        for node in kept:
            self._gone.update((wanted, gone[wanted]) for wanted in node.options.depends_on if wanted in gone)
            self._forget_dependencies(node)
            _detach(node, kept)
        self._held.update(node for node in kept if not kept[node])
        if top in kept:
            return True
        # Who comes in later and would wait for it does not.
        self._gone.update(gone)
        _detach(top, ())
        if options.depends_on:
            top.options = without_dependencies(options, options.depends_on)
        return False

    # -- both --------------------------------------------------------------------------------------------------------

    def _keep(
        self,
        nodes: list[TaskNode],
        is_meant: Callable[[TaskNode], bool],
        is_skipped: Callable[[TaskNode], bool],
        may_make: Callable[[TaskNode], bool],
        *,
        is_inside: bool = False,
    ) -> tuple[dict[TaskNode, bool], set[TaskNode]]:
        """Return the nodes that stay, each with whether it is selected, and those that are skipped. Parents come first.

        `is_inside` says whether what the first of them comes in below is selected.
        """
        selected: set[TaskNode] = set()
        skipped: set[TaskNode] = set()
        for node in nodes:
            if node.parent in skipped or is_skipped(node):
                skipped.add(node)
            elif not self._only or node.parent in selected or (is_inside and node is nodes[0]) or is_meant(node):
                selected.add(node)
        kept: dict[TaskNode, bool] = {}
        for node in reversed(nodes):
            if node in skipped:
                continue
            if any(child in kept for child in node._children):
                kept[node] = node in selected
            elif node in selected:
                # A group without a body of which nothing is left has nothing to do.
                if node._body is not None or not node._children:
                    kept[node] = True
            elif may_make(node):
                kept[node] = False
        return dict(reversed(kept.items())), skipped

    def _refuse_inputs(self, node: TaskNode, gone: Mapping[str, bool]) -> None:
        """Raise `DefinitionError` for a body, or a condition, that takes what came of a node that is not there."""
        if not node.options.depends_on:
            return
        for given in (*_inputs(node._body), *_inputs(node.options.when)):
            parameter, source = given[0], given[1]
            if source in gone and getattr(given, "needs_node", True):
                needer, needed = self._short(node.id), self._short(source)
                why = f"task '{node.id}' takes '{parameter}' from '{source}', which is"
                if gone[source]:
                    raise DefinitionError(f"{why} skipped; skip '{needed}+' instead, with what needs it")
                raise DefinitionError(f"{why} not selected; select '+{needer}', with what it needs, or '{needed}' too")

    def _short(self, node_id: str) -> str:
        return node_id.removeprefix(f"{self._tree.root.id}/")

    def _forget_dependencies(self, node: TaskNode) -> None:
        """Let a node not wait for what is not there."""
        options = node.options
        if any(wanted in self._gone for wanted in options.depends_on):
            # Those that are spawned share theirs, and come one after another.
            if self._shared is None or self._shared[0] is not options:
                self._shared = options, without_dependencies(options, self._gone)
            node.options = self._shared[1]


def _read(name: str, selectors: Iterable[str], tree: TaskTree, endings: Endings | None) -> list[Selector]:
    if isinstance(selectors, str) or not isinstance(selectors, Iterable):
        raise TypeError(f"select(): {name} is {selectors!r}; expected a list of selectors, as in {name}=['checks/*']")
    given = list(selectors)
    for text in given:
        if not isinstance(text, str):
            raise TypeError(f"select(): {name} has {text!r} in it; expected selectors, which are strings")
    return [Selector(text, tree.root.id, endings) for text in given]


def _paths(
    nodes: Iterable[TaskNode], paths: dict[TaskNode, str], parent: TaskNode | None = None
) -> dict[TaskNode, str]:
    """Add the paths of nodes, parents first, to those that are known; `parent` is or will be that of the first."""
    for node in nodes:
        above = node.parent or parent
        if above is None:
            paths[node] = ""
        elif node.id.startswith(f"{above.id}/"):
            start = paths[above]
            paths[node] = f"{start}{BETWEEN if start else ''}{node.id[len(above.id) + 1 :]}"
        else:
            paths[node] = node.id
    return paths


def _ids(nodes: list[TaskNode], paths: dict[TaskNode, str]) -> list[str]:
    return [paths[node].replace(BETWEEN, "/") or node.id for node in nodes]


def _with_others(
    selector: Selector,
    meant: list[TaskNode],
    makers: list[TaskNode],
    nodes: list[TaskNode],
    find: Callable[[str], TaskNode | None],
) -> set[TaskNode]:
    """Return what a selector means, with what it means in addition of the nodes that are found by their ids."""

    def needs(node: TaskNode) -> list[TaskNode]:
        needed = map(find, node.options.depends_on)
        return [each for each in needed if each is not None]

    found = set(meant)
    if selector.with_needs:
        found |= _reached(meant, makers, needs)
    if selector.with_needers:
        needers: dict[TaskNode, list[TaskNode]] = {}
        for node in nodes:
            for needed in needs(node):
                needers.setdefault(needed, []).append(node)
        found |= _reached(meant, makers, lambda node: needers.get(node, ()))
    return found


def _meant_of(selectors: Iterable[Selector], nodes: list[TaskNode], paths: Mapping[TaskNode, str]) -> set[TaskNode]:
    """Return what selectors mean of a branch, with what they mean in addition inside of it."""
    here = {node.id: node for node in nodes}
    found: set[TaskNode] = set()
    for selector in selectors:
        meant = [node for node in nodes if _means(selector, node, paths[node])]
        found |= _with_others(selector, meant, [], nodes, here.get) if meant else set()
    return found


def _means(selector: Selector, node: TaskNode, path: str) -> bool:
    return selector.matches(path, node.options.tags, node.id)


def _may_make(selector: Selector, node: TaskNode, path: str) -> bool:
    return node._body is not None and kind_of(node._body).yields and selector.may_match_below(path, node.id)


def _reached(
    nodes: Iterable[TaskNode], holders: Iterable[TaskNode], edges: Callable[[TaskNode], Iterable[TaskNode]]
) -> set[TaskNode]:
    """Return the nodes, all below them, and all that edges lead to from these, or from what is above these."""
    found: set[TaskNode] = set()
    asked: set[TaskNode] = set()
    waiting = [(node, True) for node in nodes] + [(node, False) for node in holders]
    while waiting:
        node, is_whole = waiting.pop()
        if is_whole and node not in found:
            found.add(node)
            waiting += [(child, True) for child in node._children]
        above: TaskNode | None = node
        while above is not None and above not in asked:
            asked.add(above)
            waiting += [(other, True) for other in edges(above)]
            above = above.parent
    return found


def _inputs(body: object) -> tuple[Any, ...]:
    """Return the parameters that other nodes fill, each with its name and the id of its node first."""
    return getattr(body, "inputs", ())


def _detach(node: TaskNode, kept: Container[TaskNode]) -> None:
    """Take the children off a node that are not kept; the books of a tree are the caller's affair."""
    children = node._children
    stay = sum(child in kept for child in children)
    if stay == len(children):
        return
    node._children = Children() if stay else NO_CHILDREN
    for child in children:
        if child in kept:
            append(node._children, child)
        else:
            child.parent = None
            for each in child.walk():
                each._tree = each._roll = None
