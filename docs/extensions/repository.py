"""Links from a page to files outside docs/ lead to the repository; one to a file that is not there is a warning."""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)(\[[^\[\]]*\]\()((?:\.\./)+)([^)#\s]*)")
logger = logging.getLogger(__name__)


def lead_to_repository(app: Sphinx, name: str, source: list[str]) -> None:
    """Replace `](../path` in a page's text by the address of the file."""

    def address(found: re.Match[str]) -> str:
        path = (Path(app.srcdir) / name).parent.joinpath(found[2] + found[3]).resolve()
        if not path.exists():
            logger.warning("%s links to %s, which is not there", name, found[2] + found[3])
        if path.is_relative_to(app.srcdir):
            return found[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"{found[1]}{app.config.html_theme_options['source_repository']}{kind}/main/{path.relative_to(ROOT)}"

    source[0] = LINK.sub(address, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page as it is read."""
    app.connect("source-read", lead_to_repository)
    return {"parallel_read_safe": True}
