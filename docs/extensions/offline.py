"""What Sphinx and the theme leave open: markup that screen readers and keyboards stumble over, and search without a server."""

import re
from typing import Any

from sphinx.application import Sphinx

SCRIPT = 'if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;'
SIGNATURE = re.compile(r'<dl>\n((?:<dd><em class="sig-param">.*?</dd>\n)+)</dl>', re.DOTALL)
WIDE = {"results"}  # their tables need the room
MENDED = {
    "<pre>": '<pre tabindex="0">',  # what scrolls can be reached by keyboard
    '<div class="table-wrapper ': '<div tabindex="0" class="table-wrapper ',
    '<th class="head"><p></p></th>': "<td></td>",  # a corner is no heading
}


def parameters(found: re.Match[str]) -> str:
    """Return the lines of a signature as such: Sphinx has them as descriptions of nothing."""
    lines = found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
    return f'<span class="sig-lines">{lines}</span>'


def complete(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Mend the markup of a page; captions of the navigation get a level."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading">', 'role="heading" aria-level="2">')
    if name in WIDE:
        context["furo_hide_toc"] = True
    if body := context.get("body"):
        for before, after in MENDED.items():
            body = body.replace(before, after)
        context["body"] = SIGNATURE.sub(parameters, body)


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page after the theme has; excerpts are asked for only where there is a server to send them."""
    app.connect("html-page-context", complete, priority=900)
    app.add_js_file(None, body=SCRIPT)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
