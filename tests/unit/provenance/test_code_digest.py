import subprocess
import sys
from pathlib import Path

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance import code_digest as module
from goodhart_gap.provenance.code_digest import PACKAGE, code_digest, code_parts
from goodhart_gap.provenance.parsed import ParsedFiles


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A package and a folder of scripts; returns a function that writes one of its files."""
    package = tmp_path / "src" / "goodhart_gap"
    monkeypatch.setattr(module, "PACKAGE", package)
    monkeypatch.setattr(module, "PARSED", ParsedFiles(tmp_path / "parsed.json"))

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for cache in (module._read, module._module_path, module._file_digest, module.code_parts):
            cache.cache_clear()
        return path

    write("src/goodhart_gap/__init__.py", "")
    write("src/goodhart_gap/a/__init__.py", '"""A."""\n')
    write("src/goodhart_gap/a/one.py", "from goodhart_gap.b import two\n\nX: int = 1\n")
    write("src/goodhart_gap/a/other.py", "Y = 2\n")
    write("src/goodhart_gap/b/__init__.py", "")
    write("src/goodhart_gap/b/two.py", "def f(x):\n    return x + 1\n")
    write("scripts/use.py", "from goodhart_gap.a.one import X\n\nprint(X)\n")
    write.folder = tmp_path / "scripts"
    return write


def digest(code) -> str:
    return code_digest("use", code.folder)


def test_reaches_modules_and_packages_by_import(code):
    assert list(code_parts("use", code.folder)) == [
        "goodhart_gap",
        "goodhart_gap.a",
        "goodhart_gap.a.one",
        "goodhart_gap.b",
        "goodhart_gap.b.two",
        "script",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "src/goodhart_gap/a/one.py",
            '"New."\nfrom goodhart_gap.b import two\nX: int = 1\n"""Why."""\n',
        ),
        ("src/goodhart_gap/b/two.py", 'def f(x):  # why\n    "doc"\n    return (x\n        + 1)\n'),
        ("src/goodhart_gap/a/other.py", "Y = 3\n"),
        ("scripts/other.py", "print(1)\n"),
    ],
    ids=["attribute docstring", "comment and layout", "unreached module", "other script"],
)
def test_what_does_not_count(code, name, text):
    before = digest(code)
    code(name, text)
    assert digest(code) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("src/goodhart_gap/b/two.py", "def f(x):\n    return x + 2\n"),
        ("src/goodhart_gap/b/two.py", "def f(x):\n    return x - 1\n"),
        ("src/goodhart_gap/b/two.py", "def f(x, y=None):\n    return x + 1\n"),
        ("src/goodhart_gap/b/__init__.py", "import os\n"),
        ("scripts/use.py", "from goodhart_gap.a.one import X\n\nprint(-X)\n"),
        ("scripts/use.py", 'from goodhart_gap.a.one import X\n\nprint(X, "a b")\n'),
    ],
)
def test_what_counts(code, name, text):
    before = digest(code)
    code(name, text)
    assert digest(code) != before


@pytest.mark.parametrize(
    ("statement", "reached"),
    [
        ("def f():\n    from goodhart_gap.a import other", True),
        ("import goodhart_gap.a.other as o", True),
        ("import importlib\nimportlib.import_module('goodhart_gap.a.other')", True),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import goodhart_gap.a.other",
            False,
        ),
        ("import numpy.a.other", False),
    ],
)
def test_kinds_of_import(code, statement, reached):
    code("scripts/use.py", statement + "\n")
    assert ("goodhart_gap.a.other" in code_parts("use", code.folder)) is reached


def test_what_was_parsed_is_remembered_by_content(code, monkeypatch):
    before = digest(code)
    code("scripts/other.py", "")  # forgets what this process knows
    monkeypatch.setattr(module.ast, "parse", lambda *_, **__: pytest.fail("parsed again"))
    monkeypatch.setattr(module, "PARSED", ParsedFiles(code.folder.parent / "parsed.json"))
    assert digest(code) == before
    monkeypatch.undo()


@pytest.mark.parametrize("content", ["", "[1]", '{"x": '])
def test_a_damaged_or_forbidden_memory_is_done_without(code, content):
    before = digest(code)
    memory = code.folder.parent / "parsed.json"
    memory.write_text(content)
    code("scripts/other.py", "")
    module.PARSED._facts = None
    assert digest(code) == before
    memory.unlink()
    memory.mkdir()
    code("scripts/other.py", "")
    module.PARSED._facts = None
    assert digest(code) == before


def test_relative_import(code):
    code("src/goodhart_gap/a/one.py", "from . import other\nfrom ..b.two import f\n")
    assert {"goodhart_gap.a.other", "goodhart_gap.b.two"} <= set(code_parts("use", code.folder))


def test_script_beside(code):
    code("scripts/common.py", "Z = 1\n")
    code("scripts/use.py", "from common import Z\n")
    assert "common" in code_parts("use", code.folder)


def test_import_cycle_ends(code):
    code("src/goodhart_gap/b/two.py", "from goodhart_gap.a import one\n")
    assert digest(code)


def test_plumbing_is_not_followed(code):
    code("src/goodhart_gap/script.py", "from goodhart_gap.a.other import Y\n")
    code("scripts/use.py", "from goodhart_gap.script import Script\nimport goodhart_gap.errors\n")
    assert list(code_parts("use", code.folder)) == ["goodhart_gap", "script"]


def test_declared_data_counts(code):
    code("src/goodhart_gap/b/two.py", 'DATA_FILES = ("*.jinja",)\n')
    code("src/goodhart_gap/b/page.md.jinja", "{{ x }}")
    before = digest(code)
    code("src/goodhart_gap/b/page.md.jinja", "{{ y }}")
    assert digest(code) != before


def test_missing_data_is_an_error(code):
    code("src/goodhart_gap/b/two.py", 'DATA_FILES = ("*.jinja",)\n')
    with pytest.raises(GoodhartError, match=r"two\.py: DATA_FILES names"):
        digest(code)


def test_missing_script_and_broken_module_are_errors(code):
    with pytest.raises(GoodhartError, match="no such script"):
        code_digest("absent", code.folder)
    code("src/goodhart_gap/b/two.py", "def\n")
    with pytest.raises(GoodhartError, match=r"two\.py: line 1 is not Python"):
        digest(code)


def test_every_data_file_of_the_package_is_declared():
    declared = set()
    for path in PACKAGE.rglob("*.py"):
        declared.update(module._read(path, "", PACKAGE).data)
    files = {p for p in PACKAGE.rglob("*") if p.is_file() and p.suffix != ".py"}
    files = {p for p in files if p.name != "py.typed" and p.parent.name != "__pycache__"}
    assert sorted(files - declared) == []


def test_does_not_import_torch_or_what_it_hashes():
    code = (
        "import sys, goodhart_gap.provenance.code_digest as c\n"
        "c._read(c.PACKAGE / 'settings.py', 'x', c.PACKAGE)\n"
        "print('torch' in sys.modules, 'goodhart_gap.settings' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]
