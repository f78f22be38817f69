"""What the tests read in source code: modules, what each imports, the names it uses and those it reaches into."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGES = {"dynlive_rl": "dynlive_rl", "dynlive_rl.agents": "agents", "dynlive_rl.envs": "envs", "scripts": "scripts"}


class Module(NamedTuple):
    """A source file."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        """What its relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


class Import(NamedTuple):
    """An import of one name or module."""

    target: str  # the module, as far as it is one of the project's
    name: str  # what is taken from it, "" for the module itself
    line: int
    deferred: bool  # within a function, or for type checking only


@cache
def modules(root: Path = ROOT) -> dict[str, Module]:
    """Return all modules of the package and the scripts, by name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted((root / folder).rglob("*.py")):
            inside = path.relative_to(root / folder).with_suffix("").parts
            name = ".".join((package, *(part for part in inside if part != "__init__")))
            found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def imports(module: Module, known: dict[str, Module]) -> Iterator[Import]:
    """Yield what a module imports of the project's modules."""
    deferred = {id(inside) for node in ast.walk(module.tree) if _defers(node) for inside in ast.walk(node)}
    for node in ast.walk(module.tree):
        late = id(node) in deferred
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in known:
                    yield Import(alias.name, "", node.lineno, late)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
            for alias in node.names:
                if f"{base}.{alias.name}" in known:
                    yield Import(f"{base}.{alias.name}", "", node.lineno, late)
                elif base in known:
                    yield Import(base, alias.name, node.lineno, late)


def _defers(node: ast.AST) -> bool:
    is_checking = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    return is_checking or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every identifier in source code, with its line: variables, attributes, parameters, keywords, definitions."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Name):
            yield node.id, line
        elif isinstance(node, ast.Attribute):
            yield node.attr, line
        elif isinstance(node, (ast.arg, ast.keyword)):
            yield node.arg or "**", line
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, line
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2], line
            if node.asname:
                yield node.asname, line


def is_private(name: str) -> bool:
    """Whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")


def private_reaches(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield attributes with an underscore that are another's: neither self's or cls's, nor defined in the same module."""
    own = {
        name
        for node in ast.walk(tree)
        for name in (
            [node.name]
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            else [node.attr]
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value)
            else []
        )
    }
    # Of named tuples these are public, and Numba's views of structures have no other way to be handed on.
    public = {"_replace", "_asdict", "_fields", "_make", "_getvalue"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not _is_self(node.value):
            if node.attr in own | public:
                continue
            yield f"{ast.unparse(node.value)}.{node.attr}", node.lineno


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")
