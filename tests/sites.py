"""What tests know of Markdown pages and of the repository's address."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REPOSITORY = PROJECT["project"]["urls"]["Repository"]


def links(page: str) -> list[str]:
    """Return what a page links to and shows, outside of its code."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page, flags=re.DOTALL)
    return [
        "".join(found)
        for found in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"|^\[[^\]]+\]: (\S+)", text, re.MULTILINE)
    ]


def local(link: str) -> str:
    """Return where a link into the repository leads in this folder; others as they are."""
    return re.sub(rf"^{re.escape(REPOSITORY)}/(blob|raw|tree)/main/", "", link)


def headings(page: str) -> set[str]:
    """Return the anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
