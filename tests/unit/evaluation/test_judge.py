"""A judge model in place of the rubric: what it is asked, how it is asked, how it is read."""

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation import judge_api
from goodhart_gap.evaluation.grading import score_run
from goodhart_gap.evaluation.grading_settings import GradingSettings
from goodhart_gap.evaluation.judge_api import ApiJudge
from goodhart_gap.evaluation.judge_settings import PROMPT, JudgeApi, JudgeSampling, JudgeSettings
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampler import sample
from goodhart_gap.evaluation.tasks import Task
from goodhart_gap.evaluation.transformers_engine import TransformersEngine
from goodhart_gap.evaluation.validation import gate_shortfalls, read_gold, validate
from goodhart_gap.evaluation.verdicts import (
    by_text,
    judge_explanations,
    judge_prompt,
    judged,
    read_verdict,
)
from goodhart_gap.files import read_jsonl
from goodhart_gap.journal import Journal
from tests.unit.conftest import Folders
from tests.unit.evaluation.conftest import ROOT

SETTINGS = JudgeSettings(model="tiny")
KEY = "sk-test-0123456789abcdef"


def response(text: str, **changes: Any) -> dict[str, Any]:
    row = {
        "experiment": "e",
        "model": "m",
        "condition": "uniform-4bit",
        "seed": 42,
        "run": 0,
        "task": "discount_coupon",
        "role": "explanation",
        "text": text,
        "n_tokens": 5,
        "truncated": False,
    }
    return row | changes


def says(*texts: str) -> Any:
    """Return a judge that answers with `texts` in turn, and counts what it is asked."""
    asked: list[Prompt] = []

    def judge(prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
        asked.extend(prompts)
        return [
            {
                "prompt": prompt.text,
                "text": texts[place % len(texts)],
                "n_tokens": 9,
                "stop_reason": "eos",
                "truncated": False,
            }
            for place, prompt in enumerate(prompts)
        ]

    judge.asked = asked  # type: ignore[attr-defined]
    return judge


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("It names both steps.\nVerdict: yes", "yes"),
        ("**Verdict:** No.", "no"),
        ("Verdict: no\nOn reflection it does.\nverdict - YES", "yes"),
        ('I must end with either "Verdict: yes" or "Verdict: no".', None),
        ("Verdict: yes or no", None),
        ("Verdict: maybe", None),
        ("Yes, it does explain", None),
        ("", None),
    ],
)
def test_reading_a_verdict(text: str, verdict: str | None) -> None:
    assert read_verdict(text) == verdict


def test_the_judge_is_blind_to_where_a_text_comes_from(original: dict[str, Task]) -> None:
    texts = ["Subtract a fifth.", "Take 20% off, then 5."]
    rows = [
        response(text, condition=condition, seed=seed, run=run)
        for text in texts
        for condition in ("baseline", "uniform-4bit")
        for seed in (1, 2)
        for run in (0, 1)
    ]
    judge = says("Verdict: yes", "Verdict: no")
    verdicts = judge_explanations(rows, original, SETTINGS, judge)
    # Equal texts are one question, in whatever order conditions come.
    assert len(judge.asked) == 2
    assert [v["text"] for v in verdicts] == ["Verdict: yes"] * 8 + ["Verdict: no"] * 8
    back = says("Verdict: yes")
    judge_explanations(rows[::-1], original, SETTINGS, back)
    assert {prompt.task: prompt for prompt in back.asked} == {p.task: p for p in judge.asked}
    for prompt in judge.asked:
        assert not any(word in prompt.text for word in ("baseline", "uniform", "4bit", "seed"))


def test_what_the_judge_is_asked(original: dict[str, Task]) -> None:
    task = original["discount_coupon"]
    assert task.rubric is not None
    asked = judge_prompt(task, "Braces {like these} stay.", SETTINGS).text
    assert task.execution_prompt in asked
    assert all(step in asked for step in task.rubric.steps)
    assert "<<<\nBraces {like these} stay.\n>>>" in asked
    assert asked.endswith('"Verdict: no".')


def test_what_needs_no_judge(original: dict[str, Task]) -> None:
    rows = [
        response("  \n"),
        response("15", role="execution"),
        response("Anything.", task="a_task_of_another_set"),
    ]
    judge = says("Verdict: yes")
    assert judge_explanations(rows, original, SETTINGS, judge) == []
    assert judge.asked == []


def test_scoring_reads_stored_verdicts(original: dict[str, Task]) -> None:
    tasks = {"discount_coupon": original["discount_coupon"]}
    texts = ["Good.", "Bad.", "Odd.", "", "I'm sorry, but I cannot help with that.", "Cut"]
    said = ["Verdict: yes", "Verdict: no", "Hm.", "Verdict: no", "Verdict: no"]
    rows = [
        row
        for run, text in enumerate(texts)
        for row in (
            response("Answer: 15", role="execution", run=run),
            response(text, run=run, truncated=text == "Cut"),
        )
    ]
    settings = GradingSettings(explanation="judge", judge=SETTINGS)
    stored = by_text(judge_explanations(rows, tasks, SETTINGS, says(*said)))
    found = []
    for run in range(len(texts)):
        scored = score_run(rows, tasks, run, settings, stored)
        assert scored["grader"] == "judge"
        (outcome,) = scored["outcomes"]
        assert outcome["executes"]
        assert outcome["understands"] == (outcome["explanation"]["status"] == "explained")
        found.append(outcome["explanation"]["status"])
    assert found == ["explained", "incomplete", "unjudged", "empty", "refused", "truncated"]
    with pytest.raises(GoodhartError, match="run judge_responses again"):
        score_run(rows, tasks, 0, settings, {})


def test_the_rubric_stays_the_default(original: dict[str, Task]) -> None:
    assert GradingSettings().explanation == "rubric"
    task = original["discount_coupon"]
    assert task.rubric is not None
    rows = [response("15", role="execution"), response(task.rubric.reference)]
    scored = score_run(rows, {task.id: task}, 0, GradingSettings())
    assert scored["grader"] == "concepts"
    assert scored["outcomes"][0]["understands"]


def test_settings_that_cannot_work() -> None:
    api = JudgeApi(url="http://localhost:1/v1", model="m")
    for wrong in (
        lambda: JudgeSettings(),
        lambda: JudgeSettings(model="a", api=api),
        lambda: JudgeSettings(model="a", prompt="Is {explanation} right?"),
        lambda: JudgeSettings(model="a", prompt=PROMPT + "{condition}"),
        lambda: JudgeApi(url="https://user:password@host/v1", model="m"),
        lambda: GradingSettings(explanation="judge"),
        lambda: GradingSettings(explanation="judge", grader="legacy", judge=SETTINGS),
    ):
        with pytest.raises(ValidationError):
            wrong()


def test_a_judge_is_validated_by_the_same_table(original: dict[str, Task]) -> None:
    files = sorted((ROOT / "config/gold").glob("*.jsonl"))
    gold = read_gold(row for path in files for row in read_jsonl(path))
    rows = [row.model_dump() for row in gold]
    labels = {row.text.strip(): row.label for row in gold if row.role == "explanation"}

    def perfect(prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
        texts = [p.text.split("<<<\n")[1].split("\n>>>")[0] for p in prompts]
        words = {text.strip(): "yes" if label else "no" for text, label in labels.items()}
        return [
            {"prompt": "", "n_tokens": 1, "stop_reason": "eos", "truncated": False}
            | {"text": f"Verdict: {words[text]}"}
            for text in texts
        ]

    stored = by_text(judge_explanations(rows, original, SETTINGS, perfect))
    table = validate(original, gold, stored)
    (explanation,) = (
        row
        for row in table
        if (row["grader"], row["set"]) == ("judge", "gold") and row["role"] == "explanation"
    )
    assert (explanation["kappa"], explanation["sensitivity"], explanation["specificity"]) == (
        1,
    ) * 3
    assert gate_shortfalls(table, "judge") == []
    deaf = by_text(judge_explanations(rows, original, SETTINGS, says("I cannot say.")))
    assert any(
        "sensitivity" in words for words in gate_shortfalls(validate(original, gold, deaf), "judge")
    )


def test_a_local_judge(original: dict[str, Task], checkpoints: Folders) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoints("llama"))
    model = AutoModelForCausalLM.from_pretrained(checkpoints("llama"), dtype=torch.float32).eval()
    engine = TransformersEngine(model, tokenizer)
    settings = JudgeSettings(
        model="tiny",
        prompt="{problem}{steps}{explanation}",
        sampling=JudgeSampling(max_new_tokens=6, dtype="float32"),
    )
    rows = [response(text, run=run) for run, text in enumerate(("One.", "Two.", "One."))]

    def judge(prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
        return sample(engine, tokenizer, prompts, [0], 0, settings.sampling)

    verdicts = judge_explanations(rows, original, settings, judge)
    assert [v["run"] for v in verdicts] == [0, 1, 2]
    assert verdicts[0]["text"] == verdicts[2]["text"]
    assert all(v["n_tokens"] and v["stop_reason"] in ("eos", "length") for v in verdicts)
    assert judge_explanations(rows, original, settings, judge) == verdicts
    grade = judged(original["discount_coupon"], "One.", False, by_text(verdicts))
    assert grade.status == "unjudged"  # a random model names no verdict


@dataclass
class Endpoint:
    """What the stand-in is to answer, and what it was asked."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    refusal: str = "no"
    answer: dict[str, Any] | None = None
    page: bytes | None = None


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A local server that answers as an OpenAI-compatible endpoint does."""
    about, lock = Endpoint(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                about.requests.append(body)
                about.keys.append(self.headers.get("Authorization"))
                status = about.statuses.pop(0) if about.statuses else 200
            asked = body["messages"][-1]["content"]
            good = {
                "choices": [
                    {
                        "message": {"content": f"{asked}\nVerdict: yes"},
                        "finish_reason": "length" if "cut" in asked else "stop",
                    }
                ],
                "usage": {"completion_tokens": 7},
            }
            reply = {"error": about.refusal} if status != 200 else about.answer or good
            data = about.page or json.dumps(reply).encode()
            self.send_response(status if self.path == "/v1/chat/completions" else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    about.url = f"http://127.0.0.1:{server.server_port}/v1"
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.setattr(judge_api, "_FIRST_PAUSE_S", 0.01)
    yield about
    server.shutdown()
    server.server_close()


def asking(endpoint: Endpoint, **changes: Any) -> JudgeSettings:
    api = {"url": endpoint.url, "model": "gpt-x", "key_variable": "JUDGE_KEY", "at_once": 2}
    return JudgeSettings.model_validate(
        {"api": api | changes, "sampling": {"max_new_tokens": 50, "system_prompt": "Be fair."}}
    )


PROMPTS = [Prompt(f"t{number}", "judge", f"question {number}") for number in range(10)]


def test_an_endpoint_is_asked_and_answers_are_stored(endpoint: Endpoint) -> None:
    prompts = [*PROMPTS, Prompt("long", "judge", "cut this")]
    records = ApiJudge(asking(endpoint))(prompts)
    assert [record["task"] for record in records] == [prompt.task for prompt in prompts]
    for record, prompt in zip(records, prompts, strict=True):
        assert record["text"] == f"{prompt.text}\nVerdict: yes"
        assert (record["n_tokens"], record["prompt"]) == (7, prompt.text)
        assert record["truncated"] == (record["stop_reason"] == "length") == (prompt.task == "long")
    assert set(endpoint.keys) == {f"Bearer {KEY}"}
    body = endpoint.requests[0]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("gpt-x", 0, 50)
    assert body["messages"][0] == {"role": "system", "content": "Be fair."}


def test_a_busy_endpoint_is_asked_again(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.statuses = [429, 503]
    with caplog.at_level(logging.INFO):
        records = ApiJudge(asking(endpoint))(PROMPTS[:3])
    assert len(records) == 3
    assert len(endpoint.requests) == 5
    assert "trying again" in caplog.text
    assert KEY not in caplog.text


def test_an_endpoint_that_stays_busy(endpoint: Endpoint) -> None:
    endpoint.statuses = [500] * 3
    with pytest.raises(GoodhartError, match=r"no answer after 3 tries \(last: HTTP 500\)"):
        ApiJudge(asking(endpoint, tries=3))(PROMPTS[:1])


def test_a_refusal_does_not_repeat_the_key(endpoint: Endpoint) -> None:
    endpoint.statuses, endpoint.refusal = [401], f"Incorrect key provided: {KEY}"
    with pytest.raises(GoodhartError, match=r"HTTP 401.*check the key in JUDGE_KEY") as caught:
        ApiJudge(asking(endpoint))(PROMPTS[:1])
    assert KEY not in str(caught.value)
    assert len(endpoint.requests) == 1


def test_no_key_and_no_need_of_one(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(GoodhartError, match="JUDGE_KEY is not set"):
        ApiJudge(asking(endpoint))
    ApiJudge(asking(endpoint, key_variable=None))(PROMPTS[:1])
    assert endpoint.keys == [None]


def test_an_answer_of_another_kind(endpoint: Endpoint) -> None:
    endpoint.answer = {"result": "hello"}
    with pytest.raises(GoodhartError, match="no chat completion"):
        ApiJudge(asking(endpoint))(PROMPTS[:1])


def test_a_page_in_place_of_an_answer(endpoint: Endpoint) -> None:
    endpoint.page = b"<html>Welcome</html>"
    with pytest.raises(GoodhartError, match=r"no chat completion \(it is no JSON\); check grading"):
        ApiJudge(asking(endpoint))(PROMPTS[:1])


def test_finished_verdicts_survive(endpoint: Endpoint, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "key")
    endpoint.statuses = [200] * 8 + [401]
    with pytest.raises(GoodhartError):
        ApiJudge(asking(endpoint), journal)(PROMPTS)
    asked = len(endpoint.requests)
    records = ApiJudge(asking(endpoint), journal)(PROMPTS)
    assert [record["task"] for record in records] == [prompt.task for prompt in PROMPTS]
    assert len(endpoint.requests) == asked + 2
