"""Adding an entry to a config file that people wrote: comments and layout stay as they are.

    text = with_entry(text, "conditions", "my-3bit:\\n  compress: {bits: 3}\\n")

The entry is inserted as text where its section ends. Then both texts are parsed, and unless the new
one says exactly what the old one said and the entry besides, nothing is written.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import completed

INDENT = 2


def add_entry(
    path: Path, section: str, entry: str, check: Callable[[Path], None], start: str = ""
) -> range:
    """Add `entry` (YAML: one key of a map, or one item of a list) to `section` of the file `path`.

    A section that is not there is made; so is a file, which then begins with `start`. `check` gets
    a file with the new content, and raises GoodhartError where it finds a mistake; `path` is then
    left as it was. Returns the lines of the entry, counted from 1.
    """
    old = path.read_text(encoding="utf-8") if path.exists() else start
    new = with_entry(old, section, entry, str(path))
    with completed(path) as partial:
        partial.write_text(new, encoding="utf-8")
        try:
            check(partial)
        except GoodhartError as error:
            # People know the file by its own name; nothing was written there.
            raise GoodhartError(str(error).replace(str(partial), str(path))) from None
        if path.exists():
            partial.chmod(path.stat().st_mode)
    return _changed_lines(old, new)


def with_entry(text: str, section: str, entry: str, name: str = "text") -> str:
    """Return `text`, YAML, with `entry` at the end of its `section`.

    Raises GoodhartError when the section is not laid out so that this can be done.
    """
    lines = text.splitlines()
    node = _section(text, section)
    block = entry.rstrip().splitlines()
    if node is None:
        lines += [*([""] if lines else []), f"{section}:", *_indented(block, INDENT)]
    else:
        place = _last_line(node)
        while not lines[place - 1].strip():
            place -= 1
        column = node.start_mark.column if node.value else INDENT
        after = lines[place:]
        gap = [""] if after and after[0].strip() else []
        lines = [*lines[:place], *_gap_before(node), *_indented(block, column), *gap, *after]
    new = "\n".join(lines) + "\n"
    if not _adds_exactly(text, new, section, entry):
        raise GoodhartError(
            f"{name}: {section} is not laid out as lines that one can be added to; add this by "
            "hand:\n" + "\n".join(_indented(block, INDENT))
        )
    return new


def _section(text: str, section: str) -> Any:
    """Return the node of a section, or None where there is none."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return None
    return next((value for key, value in root.value if key.value == section), None)


def _last_line(node: Any) -> int:
    """Return how many lines there are up to the end of the node's content."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        # What an alias stands for lies elsewhere; its key is on its line.
        ends = [max(key.end_mark.line + 1, _last_line(value)) for key, value in node.value]
        return max(ends)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return max(_last_line(value) for value in node.value)
    mark = node.end_mark
    # A folded text ends where the line after it begins.
    return int(mark.line if mark.column == 0 else mark.line + 1)


def _gap_before(node: Any) -> list[str]:
    """A blank line, where the entries there are stand apart."""
    starts = [
        (key if isinstance(node, yaml.SequenceNode) else key[0]).start_mark.line
        for key in node.value
    ]
    ends = [
        _last_line(value if isinstance(node, yaml.SequenceNode) else value[1])
        for value in node.value
    ]
    apart = any(start > end for start, end in zip(starts[1:], ends[:-1], strict=True))
    return [""] if apart or len(starts) == 1 else []


def _indented(lines: list[str], columns: int) -> list[str]:
    return [" " * columns + line if line else line for line in lines]


def _adds_exactly(old: str, new: str, section: str, entry: str) -> bool:
    """Whether `new` says what `old` says, and `entry` in `section`, and nothing else."""
    try:
        before, after, added = (yaml.safe_load(text) or {} for text in (old, new, entry))
    except yaml.YAMLError:
        return False
    empty: Any = type(added)()
    there = before.get(section) or empty
    if type(there) is not type(added) or (isinstance(added, dict) and there.keys() & added):
        return False
    expected = [*there, *added] if isinstance(added, list) else {**there, **added}
    return bool(after == {**before, section: expected})


def _changed_lines(old: str, new: str) -> range:
    """The lines of `new` from the first to the last that `old` lacks, blank ones left out."""
    before, after = old.splitlines(), new.splitlines()
    first = 0
    while first < len(before) and before[first] == after[first]:
        first += 1
    last = len(after)
    rest = len(before)
    while rest > first and before[rest - 1] == after[last - 1]:
        rest, last = rest - 1, last - 1
    while not after[first].strip():
        first += 1
    while not after[last - 1].strip():
        last -= 1
    return range(first + 1, last + 1)
