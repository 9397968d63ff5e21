"""The documents people read, taken apart: fenced blocks with their marks, commands, links."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    "profiles/README.md",
    "config/README.md",
    "config/gold/README.md",
)
PROGRAMS = ("make", "snakemake", "goodhart-gap", "python", "pytest", "pip")
_MARK = re.compile(r"^<!-- (run|tested by|needs)(?:: (.+?))? -->$")
_FILE = re.compile(r"^# ([\w./-]+\.\w+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, its text, and the mark before it."""

    page: str
    line: int
    language: str
    text: str
    mark: str | None
    value: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that the block is, if its first line is a comment with a path."""
        found = _FILE.match(self.text.partition("\n")[0])
        return found[1] if found else None


@dataclass(frozen=True)
class Command:
    """A command line of a block, or one within text (`inline`), which may be cut short."""

    where: str
    words: tuple[str, ...]
    inline: bool


def tokens(page: str) -> list[Token]:
    """Parse a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return MarkdownIt("commonmark").enable("table").parse(text)


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found, before = [], None
    for token in tokens(page):
        if token.type == "fence":
            mark = _MARK.match(before.content.strip()) if before else None
            line = (token.map or [0])[0] + 1
            named = (mark[1], mark[2]) if mark else (None, None)
            found.append(Block(page, line, token.info.strip(), token.content, *named))
        before = token if token.type == "html_block" else None
    return found


def indented_blocks(page: str) -> list[int]:
    """Return the lines of blocks that are only indented: they have no language and no mark."""
    return [(token.map or [0])[0] + 1 for token in tokens(page) if token.type == "code_block"]


def commands(page: str) -> Iterator[Command]:
    """Yield every command of ours on a page."""
    for block in blocks(page):
        if block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                yield from _command(str(block), line, inline=False)
    for token in tokens(page):
        for child in token.children or []:
            if child.type == "code_inline":
                yield from _command(page, child.content, inline=True)


def _command(where: str, line: str, *, inline: bool) -> Iterator[Command]:
    words = shlex.split(line, comments=True) if line.count("'") % 2 == 0 else []
    if words and words[0] in PROGRAMS and "..." not in words:
        yield Command(where, tuple(words), inline)


def links(page: str) -> Iterator[str]:
    """Yield the targets of links and images of a page."""
    for token in tokens(page):
        for child in token.children or []:
            if child.type in ("link_open", "image"):
                yield str(child.attrGet("href") or child.attrGet("src"))


def paths(page: str) -> Iterator[str]:
    """Yield what stands as code in the text and names a file of the repository."""
    folders = "config|docs|rules|scripts|src|tests|benchmarks|profiles"
    for token in tokens(page):
        for child in token.children or []:
            if child.type == "code_inline" and re.fullmatch(
                rf"(?:{folders})/[\w./{{}}*-]*", child.content
            ):
                yield child.content


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    found, parsed = set(), tokens(page)
    for opening, inline in pairwise(parsed):
        if opening.type == "heading_open":
            plain = re.sub(r"[^\w\- ]", "", inline.content.lower())
            found.add(plain.replace(" ", "-"))
    return found
