"""What is asked and what came back, as the sampler and its engines pass them around."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """What is asked, and under which name its draws are keyed."""

    task: str
    role: str
    text: str


@dataclass
class Response:
    """A response under way, then finished."""

    prompt: Prompt
    run: int
    tokens: list[int] = field(default_factory=list)
    stop_reason: str = "length"

    def record(self, tokenizer: Any) -> dict[str, Any]:
        """Return the response's part of a line of a responses file."""
        return {
            "run": self.run,
            "task": self.prompt.task,
            "role": self.prompt.role,
            "prompt": self.prompt.text,
            "text": tokenizer.decode(self.tokens, skip_special_tokens=True),
            "n_tokens": len(self.tokens),
            "stop_reason": self.stop_reason,
            "truncated": self.stop_reason == "length",
        }
