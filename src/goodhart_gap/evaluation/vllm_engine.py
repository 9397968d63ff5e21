"""vLLM as an engine: for models whose speed is a matter of kernels and of several GPUs.

    with dense_checkpoint(config, shards, tokenizer_files) as folder:
        engine = VllmEngine(folder, tokenizer, settings)

A request has its own seed, derived from the same name as our engine's draws (`randomness`), and the
same prompt, temperature, nucleus, length and stop tokens. What does not hold: vLLM turns a seed
into numbers in its own way, and its kernels round with the batch, so its responses are not those of
our engine, and the same request may be answered differently beside other requests. Compare
conditions that were sampled with one backend.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.chat import stop_tokens
from goodhart_gap.evaluation.progress import Progress
from goodhart_gap.evaluation.randomness import request_seed
from goodhart_gap.evaluation.responses import Response
from goodhart_gap.evaluation.sampling_settings import SamplingSettings


class VllmEngine:
    """Completes responses with vLLM, on all visible GPUs."""

    def __init__(
        self, folder: Path, tokenizer: Any, settings: SamplingSettings, gpus: int = 1
    ) -> None:
        """Start vLLM on a transformers checkpoint. Raises GoodhartError where it is missing."""
        try:
            self._vllm: Any = importlib.import_module("vllm")
        except ImportError as error:
            raise GoodhartError(
                f"sampling.backend = 'vllm': vLLM cannot be imported ({error}); install it with "
                "`pip install 'goodhart-gap[vllm]'` on a machine with a GPU, or use transformers."
            ) from error
        self._model = self._vllm.LLM(
            model=str(folder),
            dtype=settings.dtype,
            tensor_parallel_size=max(1, gpus),
            max_num_seqs=settings.batch_size,
            enable_prefix_caching=True,
            # The checkpoint's own sampling defaults (a repetition penalty, say) stay out.
            generation_config="vllm",
            seed=0,
        )
        config = self._model.llm_engine.model_config
        self.positions: int | None = config.max_model_len
        self._stop = stop_tokens(_generation_config(folder), config.hf_config, tokenizer)

    def prompts_at_once(self, longest: int, runs: int, settings: SamplingSettings) -> int:
        """Return how many prompts are handed over together; vLLM schedules them by itself.

        Enough to keep it busy, yet no more than a killed job may lose.
        """
        return max(1, 4 * settings.batch_size // max(1, runs))

    def generate(
        self,
        encoded: Sequence[list[int]],
        rows: Sequence[Response],
        seed: int,
        settings: SamplingSettings,
        progress: Progress,
    ) -> None:
        """Fill in tokens and stop reason of `rows`: as many of each prompt, prompt by prompt."""
        runs = len(rows) // len(encoded)
        requests = [{"prompt_token_ids": ids} for ids in encoded for _ in range(runs)]
        parameters = [
            self._vllm.SamplingParams(
                seed=request_seed(seed, row.prompt.task, row.run, row.prompt.role),
                temperature=settings.temperature,
                top_p=settings.top_p,
                max_tokens=settings.max_new_tokens,
                stop_token_ids=sorted(self._stop),
                detokenize=False,
            )
            for row in rows
        ]
        outputs = self._model.generate(requests, parameters, use_tqdm=False)
        for row, output in zip(rows, outputs, strict=True):
            (made,) = output.outputs
            tokens = list(made.token_ids)
            ended = made.finish_reason == "stop"
            # The stop token is the end of a response, not a part of it.
            row.tokens = tokens[:-1] if ended and tokens and tokens[-1] in self._stop else tokens
            row.stop_reason = "eos" if ended else "length"
            progress.finished += 1
            progress.tokens += len(row.tokens)
        progress.report()


def _generation_config(folder: Path) -> Any:
    from transformers import GenerationConfig

    if not (folder / "generation_config.json").exists():
        return None
    return GenerationConfig.from_pretrained(folder)
