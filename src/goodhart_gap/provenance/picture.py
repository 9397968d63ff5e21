"""The chain behind an artifact as a picture: one box a step, data flowing downwards (SVG)."""

from html import escape

from goodhart_gap.provenance.chain import Chain
from goodhart_gap.provenance.trace import Step, steps

WIDTH, HEIGHT = 250, 62
GAP_ACROSS, GAP_DOWN, MARGIN = 30, 44, 20


def chain_svg(chain: Chain, path: str) -> str:
    """Return the picture of the chain behind the artifact `path`, sources on top."""
    found = steps(chain, path)
    levels = _levels(found)
    widest = max(len(level) for level in levels)
    width = widest * (WIDTH + GAP_ACROSS) - GAP_ACROSS + 2 * MARGIN
    height = len(levels) * (HEIGHT + GAP_DOWN) - GAP_DOWN + 2 * MARGIN
    places = {
        step.name: (
            width / 2 + (column - (len(level) - 1) / 2) * (WIDTH + GAP_ACROSS),
            MARGIN + row * (HEIGHT + GAP_DOWN),
        )
        for row, level in enumerate(levels)
        for column, step in enumerate(level)
    }
    arrows = [
        _arrow(places[need], places[name])
        for name, nearest in _direct(found).items()
        for need in nearest
    ]
    boxes = [_box(chain, step, places[step.name]) for step in found]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
            f"<title>How {escape(path)} was made</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
            '<rect width="100%" height="100%" fill="white"/>',
            *sorted(arrows),
            *boxes,
            "</svg>\n",
        ]
    )


def _levels(found: list[Step]) -> list[list[Step]]:
    """Put each step one level below the lowest of those it needs."""
    ranks: dict[str, int] = {}
    levels: list[list[Step]] = []
    for step in sorted(found, key=lambda step: (-step.depth, step.name)):
        rank = max((ranks[need] + 1 for need in step.needs if need in ranks), default=0)
        ranks[step.name] = rank
        levels += [[] for _ in range(rank + 1 - len(levels))]
        levels[rank].append(step)
    return levels


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x, y), (u, v) = (start[0], start[1] + HEIGHT), end
    middle = (y + v) / 2
    curve = f"M{x:g} {y:g} C{x:g} {middle:g} {u:g} {middle:g} {u:g} {v:g}"
    return f'<path d="{curve}" fill="none" stroke="#555" marker-end="url(#tip)"/>'


def _box(chain: Chain, step: Step, place: tuple[float, float]) -> str:
    x, y = place
    lines = _lines(chain, step)
    fill = "#eee" if step.name == "source" else "#fff"
    texts = "".join(
        f'<text x="{x:g}" y="{y + 19 + 17 * number:g}" text-anchor="middle"'
        f"{weight}>{escape(line)}</text>"
        for number, (line, weight) in enumerate(
            zip(lines, (' font-weight="bold"', "", ' font-family="monospace"'), strict=True)
        )
    )
    return (
        f'<g><rect x="{x - WIDTH / 2:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="4" '
        f'fill="{fill}" stroke="#222"/>{texts}</g>'
    )


def _lines(chain: Chain, step: Step) -> tuple[str, str, str]:
    files = _shortened(step.paths[0], 38) if len(step.paths) == 1 else f"{len(step.paths)} files"
    entry = chain.entries.get(step.paths[0])
    code = f"code {entry.manifest.code.digest}" if entry else "made by no job"
    return step.name, files, code


def _shortened(path: str, length: int) -> str:
    """Leave out leading folders of a path until it has at most `length` characters."""
    parts = path.split("/")
    while len(path) > length and len(parts) > 1:
        parts.pop(0)
        path = ".../" + "/".join(parts)
    return path


def _direct(found: list[Step]) -> dict[str, set[str]]:
    """Return for each step the steps it needs, without those that another of them needs already."""
    needs = {step.name: set(step.needs) for step in found}
    behind: dict[str, set[str]] = {}
    for step in sorted(found, key=lambda step: -step.depth):
        nearest = needs[step.name]
        behind[step.name] = nearest.union(*(behind.get(need, set()) for need in nearest))
    return {
        name: {
            need
            for need in nearest
            if not any(need in behind.get(other, set()) for other in nearest - {need})
        }
        for name, nearest in needs.items()
    }
