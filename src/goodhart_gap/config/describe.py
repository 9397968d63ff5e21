"""A condition's settings as one line of prose, for documents."""

from collections.abc import Iterator

from goodhart_gap.compression.settings import FORESEEN, ConditionSettings, Protection


def describe_condition(settings: ConditionSettings) -> str:
    """Return what a condition does to the model."""
    matrix = settings.compress
    if settings.reuse is not None:
        return _describe_reuse(settings)
    if settings.budget is not None:
        choices = ", ".join(settings.budget.choices)
        bits = settings.budget.bits_per_parameter
        what = "matrix" if settings.budget.loss == FORESEEN else "block"
        return f"each {what} as in one of {choices}, chosen under {bits:g} bits a parameter"
    if settings.imported is not None:
        return f"compressed by others: {settings.imported.source}"
    if matrix is None:
        return "the base model as it is"
    parts = [f"{matrix.method}, {matrix.bits} bit in groups of {matrix.group_size}"]
    if matrix.codebook != "scalar":
        parts = [f"{matrix.method}, {matrix.bits} bit by the {matrix.codebook} codebook"]
    if matrix.factored:
        low_rank = f"rank {matrix.rank} at {matrix.factor_bits} bit"
        parts.append(low_rank if matrix.rank else "no low-rank part")
    left_out = ", ".join(_left_out(settings.protect))
    return ", ".join(parts) + (f"; not compressed: {left_out}" if left_out else "")


def _describe_reuse(settings: ConditionSettings) -> str:
    parts = [
        name if blocks is None else f"{name} in blocks {', '.join(map(str, blocks))}"
        for name, blocks in settings.reused.items()
    ]
    if len(parts) > 1 and None in settings.reused.values():
        rest = next(name for name, blocks in settings.reused.items() if blocks is None)
        parts = [*(part for part in parts if part != rest), f"{rest} in all others"]
    left_out = ", ".join(_left_out(settings.protect))
    return f"shards of {', '.join(parts)}" + (f"; not compressed: {left_out}" if left_out else "")


def _left_out(protect: Protection) -> Iterator[str]:
    for end, count in (("first", protect.first), ("last", protect.last)):
        if count:
            yield f"the {end} {f'{count} blocks' if count > 1 else 'block'}"
    if protect.blocks:
        yield "blocks " + ", ".join(map(str, protect.blocks))
    for pattern in protect.patterns:
        yield f"modules {pattern}"
