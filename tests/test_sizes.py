"""Files are short, and so are functions."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("dynlive_rl", "agents", "envs", "examples", "scripts", "tests")
SOURCES = {str(path.relative_to(ROOT)): path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))}
FILE_LINES, FUNCTION_LINES = 400, 60


def lengths_of_functions(source):
    """Yield the name of every function and its number of lines, without its docstring and its decorators."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            has_docstring = ast.get_docstring(node) is not None
            docstring = first.end_lineno - first.lineno + 1 if has_docstring else 0
            yield node.name, node.end_lineno - node.lineno + 1 - docstring


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_is_short(name):
    lines = len(SOURCES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES


@pytest.mark.parametrize("name", SOURCES)
def test_functions_are_short(name):
    lengths = lengths_of_functions(SOURCES[name].read_text(encoding="utf-8"))
    assert [(function, lines) for function, lines in lengths if lines > FUNCTION_LINES] == []


def test_a_functions_length_is_that_of_what_it_does():
    body = '    """One.\n\n    Two.\n    """\n    y = x\n\n    return y\n'
    source = f"@decorated\ndef f(x):\n{body}\nclass A:\n    def f(self): pass\n"
    assert list(lengths_of_functions(source)) == [("f", 4), ("f", 1)]
