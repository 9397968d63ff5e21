"""A document as one HTML file that opens anywhere: figures inside, readable on a phone.

The text is the Markdown document, rendered; nothing is added to it but a list of its sections.
"""

import base64
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_text

DATA_FILES = ("styles/page.html.jinja",)
"""The shell around the text, so that the code digest covers it."""

SHELL = Path(__file__).parent / DATA_FILES[0]

LEAST_SECTIONS = 3
"""Sections from which on a page lists them."""


def write_page(path: Path, markdown: str, figures: Mapping[str, Path]) -> None:
    """Write a document as a page; `figures` holds the files of its images, by the links to them."""
    write_text(path, page(markdown, figures))


def page(markdown: str, figures: Mapping[str, Path]) -> str:
    """Return the page of a document. Raises GoodhartError for an image that is not given."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    sections = _name_sections(tokens)
    for token in tokens:
        for child in token.children or []:
            if child.type == "image":
                child.attrSet("src", _embedded(str(child.attrGet("src")), figures))
    title, rest = _title(tokens)
    body = parser.renderer.render(rest, parser.options, {})
    # A table that is wider than the screen scrolls, and the text beside it does not.
    body = body.replace("<table>", '<div class="table"><table>').replace(
        "</table>", "</table></div>"
    )
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(SHELL.read_text(encoding="utf-8")).render(
        title=title,
        sections=sections if len(sections) >= LEAST_SECTIONS else [],
        body=body,
    )


def _name_sections(tokens: list[Token]) -> list[dict[str, str]]:
    """Give each section an id to link to, and return the sections of the second level."""
    sections: dict[str, str] = {}
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag == "h2":
            words = re.findall(r"[a-z0-9]+", inline.content.lower())
            name = "-".join(words) or "section"
            name = name if name not in sections else f"{name}-{len(sections)}"
            sections[name] = inline.content
            opening.attrSet("id", name)
    return [{"id": name, "title": title} for name, title in sections.items()]


def _title(tokens: list[Token]) -> tuple[str, list[Token]]:
    """Return the title a document begins with, and what follows it."""
    if [(token.type, token.tag) for token in tokens[:1]] != [("heading_open", "h1")]:
        raise GoodhartError("document: has no title; begin its template with one.")
    return tokens[1].content, tokens[3:]


def _embedded(link: str, figures: Mapping[str, Path]) -> str:
    if link not in figures:
        raise GoodhartError(
            f"document: shows {link}, which its job is not given; declare it as an input."
        )
    data = base64.b64encode(figures[link].read_bytes()).decode("ascii")
    return f"data:image/svg+xml;base64,{data}"
