"""The section of benchmarks/RESULTS.md on where a sampling job's time goes."""

from collections.abc import Iterator

from benchmarks import results_table as table


def lines(line: table.Line) -> Iterator[str]:
    """Lines of what `sampling_profile.profile` found."""
    found = line["generation"]["profile"]
    rate = table.rate(line, table.forward_format(line), group="one")
    whole_s, seconds, operations = found["whole_s"], found["seconds"], found["operations"]
    bound_s = found["needed_operations"] / rate
    products_s = sum(seconds[part] for part in operations)
    yield "## Where a sampling job's time goes"
    yield ""
    yield (
        f"{found['responses']} responses, {found['tokens']} tokens, sampled by one thread with "
        f"timers around its parts (`benchmarks/sampling_profile.py`): {whole_s:.0f} s of the "
        f"processor. The operations it cannot do without would take {bound_s:.0f} s at "
        f"{rate / 1e9:.0f} Gflop/s, the highest rate measured for one thread: "
        f"{bound_s / whole_s:.0%}. Products with weights take {products_s / whole_s:.0%} of the "
        f"time and reach {sum(operations.values()) / rate / products_s:.0%} of that rate; the rest "
        "of the time, in which next to none of these operations are done, is what is between "
        f"{bound_s / whole_s:.0%} and all of it."
    )
    yield ""
    yield "| part | s | share | operations | of the rate |"
    yield "|---|---|---|---|---|"
    for part, part_s in sorted(seconds.items(), key=lambda item: -item[1]):
        count = operations.get(part)
        counted = f"{count / 1e12:.1f} Tflop" if count else ""
        reached = f"{count / rate / part_s:.0%}" if count else ""
        yield f"| {part} | {part_s:.1f} | {part_s / whole_s:.1%} | {counted} | {reached} |"
    yield ""
    yield "The batch empties as responses end, and steps with fewer rows make less of a pass:"
    yield ""
    yield "| rows of a step | steps | tokens | s | ms a step | tokens/s |"
    yield "|---|---|---|---|---|---|"
    for group in found["steps"]:
        took_s, steps = group["seconds"], group["steps"]
        yield (
            f"| {group['rows']} or more | {steps} | {group['tokens']} | {took_s:.1f} "
            f"| {took_s / steps * 1e3:.0f} | {group['tokens'] / took_s:.0f} |"
        )
