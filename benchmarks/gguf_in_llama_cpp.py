"""Does llama.cpp make of a gguf export what transformers makes of it?

    snakemake --cores all -- results/models/smollm2-135m/uniform-4bit/exports/gguf/agreement.json
    python -m benchmarks.gguf_in_llama_cpp --model results/models/smollm2-135m

No clock here: token ids of the prompts of a task set, logits of held-out calibration tokens, and
greedy continuations of those. Needs `pip install -e '.[bench]'`, as `peer_llama_cpp` does.
llama.cpp multiplies bfloat16 weights with activations that it rounds to bfloat16 and keeps its
cache in float16, so the tolerance is that of exports in bfloat16, whatever ours is computed in.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from benchmarks.origin import ROOT
from benchmarks.peer_llama_cpp import is_installed
from safetensors.torch import load_file
from transformers import AutoTokenizer

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.chat import encode
from goodhart_gap.evaluation.task_sets import read_task_set
from goodhart_gap.evaluation.tasks import prompt_rows
from goodhart_gap.runtime.exports.agreement import LEADS, TOLERANCE, check, compare
from goodhart_gap.runtime.exports.loading import load_export

SEQUENCES, LENGTH, GENERATED = 8, 64, 64
"""Held-out calibration tokens that are compared, and continued."""

TASKS = ROOT / "config/tasks/original-20.yaml"


class LlamaCpp:
    """A model in llama.cpp, with as much of transformers' interface as `compare` uses."""

    def __init__(self, path: Path) -> None:
        from llama_cpp import Llama

        self.llama = Llama(str(path), n_ctx=LENGTH + GENERATED, logits_all=True, verbose=False)

    def ids(self, text: str) -> list[int]:
        """Token ids of a text in which the chat format's own tokens are written out."""
        return list(self.llama.tokenize(text.encode(), add_bos=False, special=True))

    def __call__(self, tokens: torch.Tensor) -> SimpleNamespace:
        """Logits [sequences, length, words] of tokens [sequences, length]."""
        return SimpleNamespace(logits=torch.stack([self._run(row) for row in tokens]))

    def generate(
        self, input_ids: torch.Tensor, max_new_tokens: int, **_others: Any
    ) -> SimpleNamespace:
        """Continue each prompt by its most probable tokens, of which none ends the text."""
        rows = []
        for prompt in input_ids:
            chosen = [self._most_probable(self._run(prompt))]
            while len(chosen) < max_new_tokens:
                chosen.append(self._most_probable(self._continue(chosen[-1:])))
            rows.append(torch.cat([prompt, torch.tensor(chosen)]))
        return SimpleNamespace(sequences=torch.stack(rows), logits=None)

    def _most_probable(self, logits: torch.Tensor) -> int:
        last = logits[-1].clone()
        last[self.llama.token_eos()] = -torch.inf
        return int(last.argmax())

    def _run(self, row: torch.Tensor) -> torch.Tensor:
        self.llama.reset()
        return self._continue(row.tolist())

    def _continue(self, tokens: list[int]) -> torch.Tensor:
        before = self.llama.n_tokens
        self.llama.eval(tokens)
        return torch.from_numpy(self.llama.scores[before : self.llama.n_tokens].copy())


def read_differently(theirs: LlamaCpp, tokenizer: Any, texts: Sequence[str]) -> list[str]:
    """The prompts of `texts`, in the chat format, whose token ids are not the tokenizer's."""
    different = []
    for text in texts:
        ids = encode(tokenizer, text, None)
        if theirs.ids(tokenizer.decode(ids)) != ids:
            different.append(text)
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a folder of results/models")
    parser.add_argument("--condition", default="uniform-4bit")
    args = parser.parse_args()
    path = args.model / args.condition / "exports/gguf/model.gguf"
    if not path.exists():
        raise SystemExit(f"error: {path} is missing; make it as the head of this file says.")
    if not is_installed():
        raise SystemExit("error: llama.cpp is missing; pip install -e '.[bench]' compiles it.")
    theirs = LlamaCpp(path)

    texts = [row["prompt"] for row in prompt_rows(read_task_set(TASKS))]
    tokenizer = AutoTokenizer.from_pretrained(args.model / args.condition)
    different = read_differently(theirs, tokenizer, texts)
    print(f"{len(texts) - len(different)} of {len(texts)} prompts have the same token ids")

    tokens = load_file(args.model / "calibration/tokens.safetensors")["held_out"]
    tokens = tokens[:SEQUENCES, :LENGTH].long()
    tolerance = TOLERANCE[torch.bfloat16]["gguf"]
    for dtype in (torch.float32, torch.bfloat16):
        ours = load_export("gguf", [path], dtype)
        found = compare(ours, theirs, tokens, "gguf", GENERATED)
        equal = sum(each.equal_tokens == each.tokens for each in found.greedy)
        leads = [each.lead for each in found.greedy if each.lead is not None]
        parted = f", the others part where ours leads by {max(leads):.4f} or less" if leads else ""
        print(
            f"ours in {found.dtype}, {found.tokens} tokens: logits differ by "
            f"{found.rms_difference:.4f} of their standard deviation (tolerance {tolerance}), "
            f"at most {found.largest_difference:.3f}; first choice the same at "
            f"{found.same_first_choice:.1%}; {equal} of {len(found.greedy)} continuations equal"
            + parted
        )
        check(replace(found, tolerance=tolerance, largest_lead=LEADS * tolerance), str(path))
    if different:
        raise GoodhartError(f"{path}: llama.cpp reads this differently: {different[0]!r}")


if __name__ == "__main__":
    main()
