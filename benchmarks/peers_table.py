"""The section of benchmarks/RESULTS.md on the peers that were measured back to back with ours."""

from collections.abc import Iterator

from benchmarks import results_table as table


def lines(line: table.Line) -> Iterator[str]:
    """Lines of every peer, its sample, both rates and their ratio."""
    generation, calibration = line["generation"], line["calibration"]
    rounds = generation["rounds"]
    yield "## Peers, measured back to back with ours"
    yield ""
    yield "| what | sample | ours | peer | ratio |"
    yield "|---|---|---|---|---|"
    yield (
        f"| batched `generate`, {rounds['batch']} at once, {rounds['batch_threads']} threads "
        f"| {len(rounds['ours'])} rounds; ours with {rounds['threads']} threads "
        f"| {table.our_rate(line):.0f} tokens/s | {table.batched_rate(line):.0f} tokens/s "
        f"| {table.over_batched(line):.2f} |"
    )
    for name in ("one at a time", "dequantizing", "llama.cpp"):
        found = generation[name]
        if found is None:
            yield f"| {name}, one at a time | not installed: not measured | | | |"
            continue
        label = (
            f"`generate`, {name}"
            if name != "llama.cpp"
            else "llama.cpp on its own packed file, one at a time"
        )
        per_s = 1 / found["token_s"]
        yield (
            f"| {label} | {found['start_s']:.2f} s a response and {found['token_s']:.4f} s a token "
            f"| {table.our_rate(line):.0f} tokens/s | {per_s:.1f} tokens/s "
            f"| {table.our_rate(line) / per_s:.1f} |"
        )
    if turns := generation.get("turns"):  # earlier versions have none
        seconds = ", ".join(f"{each:.0f} s" for each in turns["tokens_s"])
        yield (
            f"| `generate`, one at a time, making the calibration tokens | {turns['sequences']} "
            f"sequences; ours by itself: {seconds} | | | {table.over_tokens(line):.1f} |"
        )
    if many := generation.get("llama.cpp, many"):
        batch, most = max(many["tokens_s"].items(), key=lambda item: item[1])
        yield (
            f"| llama.cpp on {many['file']}, {batch} at once, without drawing "
            f"| {', '.join(many['tokens_s'])} at once were tried "
            f"| {table.our_rate(line):.0f} tokens/s | {most:.0f} tokens/s "
            f"| {table.our_rate(line) / most:.2f} |"
        )
    passes = ", ".join(
        f"{seconds:.1f} s x {calibration['modules'][width]} modules with {width} inputs"
        for width, seconds in calibration["pass_s"].items()
    )
    peer_s, ours_s = table.original_hessians(line), table.streamed_hessians(line)
    yield (
        f"| a pass for every module | {passes}, on {calibration['share']:.0%} of the tokens; "
        f"ours: {calibration['blocks']} blocks in {calibration['blocks_s']:.1f} s "
        f"| {ours_s:.0f} s | {peer_s:.0f} s | {peer_s / ours_s:.1f} |"
    )
    for kind, each in line["compression"]["matrices"].items():
        count = sum(counts.get(kind, 0) for counts in line["facts"]["matrices"].values())
        for whose in table.measured_ways(line)[1:]:
            yield (
                f"| {table.WHOSE[whose]}, one thread | `{each['module']}`, {kind}, x {count} "
                f"| {each['ours_s']:.2f} s | {each[f'{whose}_s']:.2f} s "
                f"| {each[f'{whose}_s'] / each['ours_s']:.1f} |"
            )
    yield ""
    tried = "; ".join(f"{name}: {rate:.0f}" for name, rate in rounds["tried"].items())
    yield f"Settings of batched `generate` that were tried on short responses, tokens/s: {tried}."
    yield ""
    yield from _compression(line)


def _compression(line: table.Line) -> Iterator[str]:
    """What the ways of compressing are worth: their bits and errors."""
    quality = table.compression_quality(line)
    if not quality:
        yield "Bits and errors of the ways to compress were not measured in this run."
        return
    yield "The ways to compress, over all matrices, of which one of each shape was measured:"
    yield ""
    yield "| way | bits a parameter | error on held-out tokens | s, shared among the cores |"
    yield "|---|---|---|---|"
    for whose, (bits, error) in quality.items():
        spent_s = table.matrices_s(line, whose)
        yield f"| {table.WHOSE[whose]} | {bits:.2f} | {error:.4f} | {spent_s:.0f} |"
