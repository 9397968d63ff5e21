"""A judge behind an OpenAI-compatible endpoint.

    judge = ApiJudge(settings)
    records = judge(prompts)

The key is read from the environment when a request is sent, and stands in no record, log or error.
What an endpoint answers is not reproducible in general; the stored verdicts are what counts.
"""

import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.judge_settings import JudgeSettings
from goodhart_gap.evaluation.progress import Progress
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.journal import Journal
from goodhart_gap.provenance.redaction import keep_secret, redact

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 1.0
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed."""


class ApiJudge:
    """Asks an endpoint, several requests at once; finished ones survive in the journal."""

    def __init__(self, settings: JudgeSettings, journal: Journal | None = None) -> None:
        if settings.api is None:
            raise GoodhartError("grading.judge.api: there is none; add one, or name a `model`.")
        self.settings, self.api, self.journal = settings, settings.api, journal
        self._key = _key(self.api.key_variable)

    def __call__(self, prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
        """Return a record a prompt, in order. Raises GoodhartError when the endpoint refuses."""
        done = {record["task"]: record for record in (self.journal.read() if self.journal else [])}
        progress = Progress(len(prompts), len(done))
        left = [prompt for prompt in prompts if prompt.task not in done]
        step = 4 * self.api.at_once
        with ThreadPoolExecutor(self.api.at_once) as pool:
            for first in range(0, len(left), step):
                made = list(pool.map(self._ask, left[first : first + step]))
                if self.journal:
                    self.journal.append(made)
                done |= {record["task"]: record for record in made}
                progress.finished += len(made)
                progress.tokens += sum(record["n_tokens"] for record in made)
                progress.report()
        progress.report(final=True)
        return [done[prompt.task] for prompt in prompts]

    def _ask(self, prompt: Prompt) -> dict[str, Any]:
        sampling = self.settings.sampling
        messages = [{"role": "user", "content": prompt.text}]
        if sampling.system_prompt is not None:
            messages.insert(0, {"role": "system", "content": sampling.system_prompt})
        body = {
            "model": self.api.model,
            "messages": messages,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
        }
        answer = self._post(body)
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"] or ""
            cut = choice["finish_reason"] == "length"
            tokens = int(answer.get("usage", {}).get("completion_tokens", 0))
        except (KeyError, IndexError, TypeError) as error:
            raise GoodhartError(
                f"{self.api.url}: the answer is no chat completion ({error!r} is missing); "
                "check grading.judge.api.url."
            ) from error
        return {
            "run": 0,
            "task": prompt.task,
            "role": prompt.role,
            "prompt": prompt.text,
            "text": text,
            "n_tokens": tokens,
            "stop_reason": "length" if cut else "eos",
            "truncated": cut,
        }

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Send a request until it succeeds, is refused for good, or was tried often enough."""
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        address = f"{self.api.url.rstrip('/')}/chat/completions"
        pause, reason = _FIRST_PAUSE_S, ""
        for attempt in range(self.api.tries):
            if attempt:
                log.info("%s: %s; trying again in %.0f s", self.api.url, reason, pause)
                time.sleep(pause)
                pause *= 2
            try:
                reply = requests.post(
                    address, json=body, headers=headers, timeout=self.api.timeout_s
                )
            except requests.RequestException as error:
                reason = type(error).__name__
                continue
            if reply.ok:
                return self._parsed(reply)
            reason = f"HTTP {reply.status_code}"
            if reply.status_code not in _AGAIN:
                # The endpoint's own words may quote the key back.
                words = " ".join(redact(reply.text.replace(self._key or "\0", "***")).split())[:200]
                raise GoodhartError(
                    f"{self.api.url}: refuses the request ({reason}: {words}); check the key in "
                    f"{self.api.key_variable} and grading.judge.api."
                )
        raise GoodhartError(
            f"{self.api.url}: no answer after {self.api.tries} tries (last: {reason}); "
            "run snakemake again later, finished verdicts are kept."
        )

    def _parsed(self, reply: requests.Response) -> dict[str, Any]:
        """Return what a reply holds: at a wrong address it may be a page for people."""
        try:
            found: dict[str, Any] = reply.json()
        except ValueError as error:
            raise GoodhartError(
                f"{self.api.url}: the answer is no chat completion (it is no JSON); check "
                "grading.judge.api.url."
            ) from error
        return found


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    keep_secret(variable)
    value = os.environ.get(variable)
    if not value:
        raise GoodhartError(
            f"grading.judge.api.key_variable: the environment variable {variable} is not set; set "
            "it (or put it into .env), or set key_variable to null where no key is needed."
        )
    return value
