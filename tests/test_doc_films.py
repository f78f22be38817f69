"""The animations of the documentation: made by the script, small, sharp, and at rest for who asks for it."""

import xml.etree.ElementTree as ElementTree

import pytest

from sites import ROOT

films = pytest.importorskip("doc_films", reason="needs the extra viz")
PICTURES = ROOT / "docs" / "pictures"
DRAWN = [name for name in films.FILMS if name.endswith(".svg")]


def animations(svg):
    """Return the style sheet of a drawing, and what it says is moved."""
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title").text
    return root.find(f"{space}style").text, [node.get("class") for node in root.iter() if "class" in node.attrib]


def test_every_film_is_in_the_documentation_and_small():
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    for name in films.FILMS:
        assert f"(pictures/{name})" in pages
        assert (PICTURES / name).stat().st_size < 400_000


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_moves_and_can_rest(name):
    style, moved = animations((PICTURES / name).read_text(encoding="utf-8"))
    assert "prefers-reduced-motion" in style
    assert len(moved) > 5
    for names in moved:
        assert f"@keyframes {names.split()[1]}{{" in style


def test_a_film_can_be_made(tmp_path):
    films.credit_film(tmp_path / "credit.svg")
    made = (tmp_path / "credit.svg").read_text(encoding="utf-8")
    moved = animations(made)[1]
    assert len(moved) == len(animations((PICTURES / "credit.svg").read_text(encoding="utf-8"))[1])
    assert "reward +" in made


def test_keyframes_are_those_of_the_values():
    drawing = films.Drawing(10, 10, seconds=1, title="a test")
    drawing.add('<circle {} r="1"/>', opacity=["0", "1", "1", "1", "0"])
    drawing.add("<text {}>a</text>", jumps=True, visibility=["hidden", "hidden", "visible"])
    plain, jumping = drawing._rules
    assert "0%{opacity:0}21.2%{opacity:1}63.8%{opacity:1}85%{opacity:0}to{opacity:0}" in plain
    assert "0%{visibility:hidden}85%{visibility:visible}to{visibility:visible}" in jumping
    assert "step-end" in jumping
    assert "step-end" not in plain
