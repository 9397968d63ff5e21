"""Adding an entry to a file that people wrote: exactly that, or nothing at all."""

from pathlib import Path

import pytest
import yaml

from goodhart_gap.config.scaffold import add_entry, with_entry
from goodhart_gap.errors import GoodhartError

TEXT = """\
# At the top.
models:
  first: {blocks: 2}  # beside it

  second: &two
    # inside
    blocks: 3
    note: >-
      folded
      text

  # an alias
  third: *two

# Conditions come next.
conditions:
  baseline: {}
"""


def test_the_entry_stands_at_the_end_of_its_section_and_all_else_stays():
    new = with_entry(TEXT, "models", "fourth:\n  blocks: 4\n")
    new_lines = new.splitlines()
    place = new_lines.index("  fourth:")
    assert new_lines[place - 2 : place + 4] == [
        "  third: *two",
        "",
        "  fourth:",
        "    blocks: 4",
        "",
        "# Conditions come next.",
    ]
    rest = new.replace("  fourth:\n    blocks: 4\n\n", "")
    assert rest == TEXT
    assert yaml.safe_load(new) == yaml.safe_load(TEXT) | {
        "models": yaml.safe_load(TEXT)["models"] | {"fourth": {"blocks": 4}}
    }


def test_entries_that_stand_close_stay_close():
    text = "tasks:\n- id: a\n  n: 1\n- id: b\n  n: 2\ngenerate: {seed: 1}\n"
    assert with_entry(text, "tasks", "- id: c\n") == (
        "tasks:\n- id: a\n  n: 1\n- id: b\n  n: 2\n- id: c\n\ngenerate: {seed: 1}\n"
    )


def test_text_that_was_folded_to_the_end_stays_whole():
    text = "tasks:\n  - id: a\n    steps:\n      - >-\n        one\n        two\n\n\n# end\n"
    new = with_entry(text, "tasks", "- id: b\n")
    assert yaml.safe_load(new) == {"tasks": [{"id": "a", "steps": ["one two"]}, {"id": "b"}]}
    assert new.endswith("\n# end\n")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "other: 1\n"])
def test_a_section_that_is_not_there_is_made(text):
    new = with_entry(text, "conditions", "mine: {}\n")
    assert new.startswith(text)
    assert yaml.safe_load(new) == {**(yaml.safe_load(text) or {}), "conditions": {"mine": {}}}


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("conditions: {baseline: {}}\n", "mine: {}"),
        ("conditions: [a, b]\n", "mine: {}"),
        ("conditions:\n- a\n", "mine: {}"),
        ("conditions:\n  mine: {}\n", "mine: {bits: 2}"),
    ],
)
def test_what_cannot_be_added_to_is_refused_and_shown(text, entry):
    with pytest.raises(GoodhartError, match=r"add this by hand:\n  mine: "):
        with_entry(text, "conditions", entry)


def test_nothing_is_half_written(tmp_path: Path):
    path = tmp_path / "conditions.yaml"
    path.write_text(TEXT)

    def refuse(candidate: Path) -> None:
        assert "mine" in yaml.safe_load(candidate.read_text())["conditions"]
        raise GoodhartError(f"{candidate}: conditions.mine: is wrong; mend it.")

    with pytest.raises(GoodhartError) as told:
        add_entry(path, "conditions", "mine: {}", refuse)
    assert str(told.value) == f"{path}: conditions.mine: is wrong; mend it."
    assert path.read_text() == TEXT
    assert list(tmp_path.iterdir()) == [path]


def test_lines_and_permissions(tmp_path: Path):
    path = tmp_path / "conditions.yaml"
    path.write_text(TEXT)
    path.chmod(0o640)
    lines = add_entry(path, "models", "fourth:\n  blocks: 4\n", lambda candidate: None)
    written = path.read_text().splitlines()
    assert [written[number - 1] for number in lines] == ["  fourth:", "    blocks: 4"]
    assert path.stat().st_mode & 0o777 == 0o640
    made = tmp_path / "own.yaml"
    lines = add_entry(made, "tasks", "- id: a\n", lambda candidate: None, "description: x\n")
    assert made.read_text() == "description: x\n\ntasks:\n  - id: a\n"
    assert list(lines) == [3, 4]
