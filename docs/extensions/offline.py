"""What the theme leaves open: levels of the navigation's headings, and search without a server."""

from typing import Any

from sphinx.application import Sphinx

SCRIPT = 'if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;'


def complete(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Give the captions of the navigation a level, so that screen readers can tell them."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading">', 'role="heading" aria-level="2">')


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page after the theme has; excerpts are asked for only where there is a server to send them."""
    app.connect("html-page-context", complete, priority=900)
    app.add_js_file(None, body=SCRIPT)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
