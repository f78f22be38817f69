"""Put the tables of results/ where README.md and docs/ show them: between `<!-- results/….md -->` and `<!-- end -->`."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHOWN = re.compile(r"(<!-- (results/\S+\.md) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return the pages that may show tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def filled(page: str) -> str:
    """Return a page with its tables as they are in results/."""
    return SHOWN.sub(lambda found: found[1] + (ROOT / found[2]).read_text() + found[3], page)


if __name__ == "__main__":
    for path in pages():
        before = path.read_text()
        if (after := filled(before)) != before:
            path.write_text(after)
            print(f"wrote {path.relative_to(ROOT)}")
