"""Equations as MathML, which browsers draw by themselves: no scripts, no network."""

import html
import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx


def to_mathml(latex: str, display: str) -> str:
    """Return MathML for LaTeX; `display` is "inline" or "block". What cannot be told is a ValueError."""
    try:
        made = convert(latex.replace("{aligned}", "{split}"), display=display)
    except Exception as error:
        raise ValueError(f"this equation cannot be read: {latex!r} ({error})") from error
    if unknown := re.search(r"<mi>(\\\w+|&)</mi>", made):
        raise ValueError(f"{html.unescape(unknown[1])} is not known in the equation {latex!r}")
    return made


def visit_inline(self, node: nodes.math) -> None:
    """Write an equation within a line."""
    self.body.append(to_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    """Write an equation of its own, which scrolls where it is wider than the page."""
    equation = to_mathml(node.astext(), "block")
    self.body.append(f'<div class="equation" tabindex="0" role="group" aria-label="equation">{equation}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer as `mathml`."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
