"""A document as one HTML file: its text, its figures inside, nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from goodhart_gap.analysis.pages import page, write_page
from goodhart_gap.errors import GoodhartError

DOCUMENT = """# Analysis: a & b

First *words*, with <script>alert("no")</script> and `results/{experiment}`.

## What is it?

| condition | share |
|---|---|
| base | 24/67 = 35.8 % |

![Shares](figures/shares.svg)

## And then

## And then
"""
FIGURE = '<svg xmlns="http://www.w3.org/2000/svg"/>'


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text outside of the style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


@pytest.fixture
def figure(tmp_path: Path) -> Path:
    path = tmp_path / ".partial-1-shares.svg"
    path.write_text(FIGURE)
    return path


def test_a_page_holds_the_document_and_nothing_from_elsewhere(figure: Path) -> None:
    text = page(DOCUMENT, {"figures/shares.svg": figure})
    read = Reader(text)
    addresses = [
        value for _, named in read.tags for name, value in named.items() if name in ("src", "href")
    ]
    assert all(
        value and value.startswith(("data:image/svg+xml;base64,", "#")) for value in addresses
    )
    assert "script" not in {tag for tag, _ in read.tags}
    words = " ".join(" ".join(read.words).split())
    for shown in ("Analysis: a & b", '<script>alert("no")</script>', "24/67 = 35.8 %"):
        assert shown in words
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in (
        read.tags
    )


def test_sections_are_listed_and_every_link_leads_somewhere(figure: Path) -> None:
    read = Reader(page(DOCUMENT, {"figures/shares.svg": figure}))
    names = [named["id"] for tag, named in read.tags if tag == "h2"]
    links = [named["href"] for tag, named in read.tags if tag == "a"]
    assert len(set(names)) == 3
    assert links == [f"#{name}" for name in names]


def test_a_wide_table_scrolls_by_itself(figure: Path) -> None:
    text = page(DOCUMENT, {"figures/shares.svg": figure})
    assert re.search(r'<div class="table"><table>.*?</table></div>', text, flags=re.DOTALL)
    assert ".table { overflow-x: auto" in text


def test_an_undeclared_figure_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GoodhartError, match=r"shows figures/shares\.svg, which its job is not"):
        write_page(tmp_path / "page.html", DOCUMENT, {})
    assert not (tmp_path / "page.html").exists()
