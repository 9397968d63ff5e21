"""Settings of sampling, in a module of their own: a changed grader resamples nothing."""

from typing import Literal

from pydantic import Field

from goodhart_gap.settings import Settings


class SamplingSettings(Settings):
    """How a response is drawn from the model."""

    backend: Literal["transformers", "vllm"] = "transformers"
    """What runs the model: `transformers` (our own sampler, on CPU or GPU) or `vllm` (for large
    models; needs the extra `vllm` and a GPU). Their responses differ; see docs/SAMPLING.md."""

    temperature: float = Field(default=0.3, ge=0)
    """Softmax temperature; 0 takes the most probable token."""

    top_p: float = Field(default=0.9, gt=0, le=1)
    """Nucleus: the smallest set of tokens with at least this probability is drawn from."""

    max_new_tokens: int = Field(default=256, gt=0)
    """A response is cut at this many tokens, and marked as cut."""

    system_prompt: str | None = None
    """System message; leave out for the chat template's own default."""

    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Number format of the forward pass. `auto`: bfloat16 on a GPU and on CPUs that multiply it,
    float32 on other CPUs, where bfloat16 is 7 to 200 times slower."""

    weights: Literal["dense", "packed"] = "dense"
    """How compressed layers are computed with: `dense` (dequantized once; faster for batches) or
    `packed` (the memory of the packed weights; faster for a few responses at a time)."""

    batch_size: int = Field(default=256, gt=0)
    """Responses generated together, at most (but always whole prompts): bounds the memory."""

    threads: int = Field(default=1, gt=0)
    """CPU threads of a matrix product; one a job and several jobs at once is the faster way to use
    several cores. Part of the settings, not of the machine or `--cores`, so
    that the order in which sums are taken, hence every bit of the result, does not vary."""
