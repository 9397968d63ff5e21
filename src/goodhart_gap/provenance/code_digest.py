"""The digest of exactly the code that a script of the workflow reaches.

    from goodhart_gap.provenance.code_digest import code_digest
    code_digest("score_responses")  # 16 hexadecimal digits

Rules carry it in `params`, so that Snakemake reruns what a change of code touches and nothing else.

What counts:

- the syntax tree of the script and of every module of `goodhart_gap` (or script beside it) that it
  reaches by import: transitively, also by imports inside functions, with the `__init__` of every
  package on the way;
- the files that a reached module declares as its data, by a module-level constant of shell
  patterns relative to the module's own folder: `DATA_FILES = ("templates/analysis.md.jinja",)`.

What does not count: comments, layout, every bare string statement (docstrings of modules, classes,
functions and attributes), imports under `if TYPE_CHECKING:`, and what lies behind the imports in
`UNFOLLOWED`, which decide how a result is recorded and reported but never what it is.

The trees are hashed in a form of our own, not by `ast.dump`, whose text changes with the version of
Python. Nothing that is hashed is imported. Each file is parsed once, and not again by later
processes while its content is the same (`.cache/parsed.json`).
"""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.parsed import ParsedFiles

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of `goodhart_gap`."""

SCRIPTS = PACKAGE.parents[1] / "scripts"
"""The folder of the scripts, as it lies in a clone of the repository."""

PARSED = ParsedFiles(PACKAGE.parents[1] / ".cache" / "parsed.json")
"""What earlier processes found in source files."""

UNFOLLOWED = frozenset(
    {"goodhart_gap.errors", "goodhart_gap.script", "goodhart_gap.provenance.redaction"}
)
"""Modules whose import is not followed: how a manifest is written must not recompress a model."""


@dataclass(frozen=True)
class _Source:
    """One parsed file: its digest, the modules it may import, the data files it declares."""

    digest: str
    imports: tuple[str, ...]
    data: tuple[Path, ...]


def code_digest(script: str, folder: Path = SCRIPTS) -> str:
    """Return 16 hexadecimal digits that stand for the code `script` reaches.

    `script` is a file of `folder`, without its suffix. Raises GoodhartError when a file is missing,
    does not parse, or declares data that does not exist.
    """
    parts = code_parts(script, folder)
    text = "".join(f"{name} {digest}\n" for name, digest in parts.items())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_parts(script: str, folder: Path = SCRIPTS) -> dict[str, str]:
    """Return the digest of every part (`script`, modules, data files) that `script` reaches.

    Sorted by name, so that two calls can be compared to say which module a change is in. Callers
    must not alter the result, which is kept.
    """
    start = _read(folder / f"{script}.py", "", folder)
    parts = {"script": start.digest}
    waiting = [start]
    while waiting:
        source = waiting.pop()
        for data in source.data:
            parts[_data_name(data)] = _file_digest(data)
        for name in source.imports:
            path = None if name in parts else _module_path(name, folder)
            if path is not None:
                reached = _read(path, name, folder)
                parts[name] = reached.digest
                waiting.append(reached)
    PARSED.save()
    return dict(sorted(parts.items()))


@cache
def _module_path(name: str, folder: Path) -> Path | None:
    """Return the file of module `name`, or None if it is not ours (or is an attribute)."""
    first, *rest = name.split(".")
    base = PACKAGE if first == PACKAGE.name else folder / first
    if base is not PACKAGE and rest:
        return None
    path = base.joinpath(*rest)
    for candidate in (path / "__init__.py", path.with_name(path.name + ".py")):
        if candidate.is_file():
            return candidate
    return None


def _data_name(path: Path) -> str:
    inside = path.is_relative_to(PACKAGE)
    return f"data:{path.relative_to(PACKAGE) if inside else path.name}"


@cache
def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@cache
def _read(path: Path, name: str, folder: Path) -> _Source:
    """Parse the file of module `name` (empty for a script). `folder` is only part of the key."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise GoodhartError(
            f"{path}: no such script; a rule's script has its rule's name."
        ) from error
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    key = PARSED.key(_own_source(), package.encode(), content)
    known = PARSED.get(key)
    if known is None:
        known = _parse(path, content, package)
        PARSED.add(key, known)
    digest, imports, patterns = known
    return _Source(digest, tuple(imports), tuple(_data_files(path, patterns)))


@cache
def _own_source() -> bytes:
    """Return this file's content: another way to digest must not meet old digests."""
    return Path(__file__).read_bytes()


def _parse(path: Path, content: bytes, package: str) -> tuple[str, list[str], list[str]]:
    """Return digest, imports and declared data patterns of a source file."""
    try:
        tree = ast.parse(content, filename=str(path))
    except SyntaxError as error:
        raise GoodhartError(f"{path}: line {error.lineno} is not Python ({error.msg}).") from error
    imports: set[str] = set()
    digest = hashlib.sha256(_canonical(tree, imports, package).encode()).hexdigest()[:16]
    return digest, sorted(imports), list(_declared_data(tree))


def _canonical(tree: ast.Module, imports: set[str], package: str) -> str:
    """Return a text that is equal for equal programs; collect the imports met on the way.

    Absent fields (None, empty lists) are left out, so a version of Python that adds one to a node
    changes no digest.
    """
    pieces: list[str] = []
    add = pieces.append

    def visit(node: ast.AST) -> None:
        kind = type(node)
        if kind is ast.Constant:
            add(repr(node.value))  # type: ignore[attr-defined]
            return
        if kind is ast.Import or kind is ast.ImportFrom:
            imports.update(_imported(node, package))  # type: ignore[arg-type]
        elif kind is ast.Call:
            imports.update(_imported_by_call(node))  # type: ignore[arg-type]
        elif kind is ast.If and _is_type_checking(node.test):  # type: ignore[attr-defined]
            node = ast.Module(body=node.orelse, type_ignores=[])  # type: ignore[attr-defined]
        add(kind.__name__)
        add("(")
        for field in node._fields:
            value = getattr(node, field, None)
            if value is None:
                continue
            if isinstance(value, ast.AST):
                add(field)
                visit(value)
            elif not isinstance(value, list):
                add(f"{field}={value!r}")
            elif value:
                add(f"{field}[")
                for item in value:
                    if not isinstance(item, ast.AST):
                        add(repr(item))
                    elif not (type(item) is ast.Expr and _is_text(item.value)):
                        visit(item)
                add("]")
        add(")")

    visit(tree)
    return " ".join(pieces)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_type_checking(test: ast.expr) -> bool:
    return getattr(test, "id", getattr(test, "attr", None)) == "TYPE_CHECKING"


def _imported(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """Yield every module that an import statement may reach, packages on the way included."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _with_parents(alias.name)
        return
    module = node.module or ""
    if node.level:
        above = package.split(".")
        module = ".".join([*above[: len(above) - node.level + 1], *([module] if module else [])])
    yield from _with_parents(module)
    if module not in UNFOLLOWED:
        for alias in node.names:
            yield from _with_parents(f"{module}.{alias.name}")


def _imported_by_call(node: ast.Call) -> Iterator[str]:
    """Yield the module of `import_module("goodhart_gap.x")`."""
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    if name == "import_module" and node.args and isinstance(node.args[0], ast.Constant):
        yield from _with_parents(str(node.args[0].value))


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        parent = ".".join(parts[:length])
        if parent not in UNFOLLOWED:
            yield parent


def _declared_data(tree: ast.Module) -> Iterator[str]:
    """Yield the patterns of the module's `DATA_FILES`."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            if names == ["DATA_FILES"]:
                yield from ast.literal_eval(statement.value)


def _data_files(path: Path, patterns: list[str]) -> Iterator[Path]:
    """Yield the files that patterns of `path` name; each must name one."""
    for pattern in patterns:
        found = sorted(file for file in path.parent.glob(pattern) if file.is_file())
        if not found:
            raise GoodhartError(f"{path}: DATA_FILES names {pattern}, but no file is so named.")
        yield from found
