"""A run as a report: one page for a browser, diagrams, a trace for profilers, JSON.

Made of a `treetask.events.Story` and of nothing else; knows neither trees nor stores nor where the text goes.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from treetask._on_use import loaded_on_use as _loaded_on_use

if _TYPE_CHECKING:
    from treetask.report._graph import dot, mermaid
    from treetask.report._html import html_page
    from treetask.report._json import as_json
    from treetask.report._trace import chrome_trace
else:
    __getattr__ = _loaded_on_use(
        __name__, {"_graph": "dot mermaid", "_html": "html_page", "_json": "as_json", "_trace": "chrome_trace"}
    )

__all__ = ["as_json", "chrome_trace", "dot", "html_page", "mermaid"]
