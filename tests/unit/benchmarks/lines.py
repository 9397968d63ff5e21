"""A line as benchmarks/stages.py writes it, of round numbers."""

from typing import Any

from benchmarks.default_run import ORDER


def matrix(module: str, *figures: tuple[float, float, float]) -> dict[str, Any]:
    """Seconds, bits and error of a matrix in our way, the original's and the paper's."""
    found: dict[str, Any] = {"module": module}
    for whose, (seconds, bits, error) in zip(("ours", "original", "paper"), figures, strict=True):
        found |= {f"{whose}_s": seconds, f"{whose}_bits": bits, f"{whose}_error": error}
    return found


def old_line() -> dict[str, Any]:
    """A line as it was before the original's compression and the seconds of rules were measured."""
    made = line()
    del made["run"]["rules"], made["run"]["conditions"], made["generation"]["turns"]
    for each in made["compression"]["matrices"].values():
        for name in set(each) - {"module", "ours_s", "paper_s"}:
            del each[name]
    return made


def line(**changed: Any) -> dict[str, Any]:
    """A whole run of 100 s on two cores, in which sampling took 40 s."""
    wall = dict(zip(ORDER, (5.0, 10.0, 10.0, 20.0, 40.0, 2.0, 3.0), strict=True))
    rates = {"bfloat16 sampling": 1e9, "bfloat16 square": 2e9, "float32 square": 1e9, "copy": 1e10}
    made: dict[str, Any] = {
        "date": "2026-01-02T03:04:05+00:00",
        "commit": "abc1234",
        "dirty": False,
        "quick": False,
        "finished": False,
        "downloaded": False,
        "took_s": 1200.0,
        "machine": {
            "cpu": "some",
            "cores": 2,
            "memory_bytes": 2**34,
            "system": "Linux",
            "load": 0.1,
        },
        "versions": {"torch": "2"},
        "run": {
            "wall_s": 100.0,
            "no_work_s": 9.0,
            "nothing_s": 4.0,
            "start_up": {"jobs": 30, "job_s": 12.0, "wall_s": 6.0},
            "rules": {
                rule: {"jobs": 1, "process_s": 30.0}
                for rule in ("calibration_tokens", "compress_shard", "assemble", "aggregate")
            },
            "conditions": {"packed": {"jobs": 2, "process_s": 40.0}},
            "stages": {
                name: {"jobs": 1, "job_s": seconds, "wall_s": seconds}
                for name, seconds in wall.items()
            },
        },
        "facts": {
            "sizes": {
                "blocks": 2,
                "hidden": 8,
                "intermediate": 16,
                "queries": 8,
                "keys": 4,
                "vocabulary": 32,
            },
            "conditions": {
                "baseline": {"responses": 10, "tokens": 1000, "operations": 10**10},
                "packed": {"responses": 10, "tokens": 1000, "operations": 2 * 10**10},
                "half": {"responses": 10, "tokens": 1000, "operations": 2 * 10**10},
            },
            "matrices": {"packed": {"8x8": 10, "8x16": 2}, "half": {"8x8": 6}},
            "compressed_here": ["packed"],
            "sequences": 4,
            "sequence_length": 100,
            "bytes": {"weights": 10**6, "download": 10**6, "hessians": 10**6},
        },
        "bounds": {
            "one": rates,
            "all": {name: 2 * rate for name, rate in rates.items()},
            "file": {"write": 1e6, "read": 1e6, "sha256": 5e5},
        },
        "slice": {"jobs": 20, "graph_s": 18.0, "loop_s": 6.0},
        "generation": {
            "one at a time": {"start_s": 0.1, "token_s": 0.05},
            "dequantizing": {"start_s": 0.5, "token_s": 0.25},
            "dequantized_modules": 12,
            "turns": {
                # The machine was half as fast in the second turn.
                "one at a time": [
                    {"start_s": 0.1, "token_s": 0.05},
                    {"start_s": 0.2, "token_s": 0.10},
                ],
                "dequantizing": [
                    {"start_s": 0.5, "token_s": 0.20},
                    {"start_s": 1.0, "token_s": 0.40},
                ],
                "tokens_s": [2.0, 4.0],
                "sequences": 4,
            },
            "llama.cpp": None,
            "llama.cpp, many": None,
            "profile": {
                "responses": 10,
                "tokens": 1000,
                "needed_operations": 4 * 10**9,
                "whole_s": 10.0,
                "seconds": {"linear layers": 4.0, "drawing": 5.0, "the rest": 1.0},
                "operations": {"linear layers": 4 * 10**9},
                "steps": [{"rows": 64, "steps": 100, "tokens": 1000, "seconds": 8.0}],
            },
            "rounds": {
                "threads": 2,
                "batch": 50,
                "batch_threads": 2,
                "tried": {"50 at once, 2 threads": 100.0},
                "ours": [{"tokens": 300, "seconds": 1.0}, {"tokens": 300, "seconds": 2.0}],
                "batched": [{"tokens": 100, "seconds": 1.0}, {"tokens": 100, "seconds": 2.0}],
            },
        },
        "calibration": {
            "share": 0.5,
            "pass_s": {"8": 2.0, "16": 3.0},
            "modules": {"8": 12, "16": 2},
            "blocks": 1,
            "blocks_s": 2.0,
        },
        "compression": {
            "matrices": {
                "8x8": matrix("q", (0.5, 4.0, 0.01), (0.1, 5.0, 0.02), (2.0, 4.2, 0.015)),
                "8x16": matrix("down", (1.0, 4.0, 0.04), (0.4, 5.0, 0.08), (8.0, 4.2, 0.06)),
            },
            "settings": {"iterations": 1},
        },
    }
    return made | changed
