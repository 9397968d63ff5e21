from pathlib import Path

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.operations.pods import report


class Enough(BaseException):
    """The rounds that a test wants are over."""


def test_no_copy_that_fails_ends_the_copying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-pod")
    faults = [GoodhartError("S3 is away."), OSError("a-secret-of-the-pod: gone"), None]
    logs: list[Path] = []
    copied: list[Path] = []

    def mirror(results: Path, store: object, *, small: bool) -> None:
        assert small
        fault = faults[len(copied)]
        copied.append(results)
        if fault is not None:
            raise fault

    def wait(seconds: float) -> None:
        if len(copied) == len(faults):
            raise Enough

    monkeypatch.setattr(report, "COPY_EVERY_S", 0.0)
    monkeypatch.setattr(report, "mirror", mirror)
    monkeypatch.setattr(report, "send_log", lambda store, log: logs.append(log))
    monkeypatch.setattr(report.time, "sleep", wait)
    with pytest.raises(Enough):
        report.follow(object(), tmp_path / "pod.log", tmp_path / "results")  # type: ignore[arg-type]
    assert copied == [tmp_path / "results"] * 3
    assert len(logs) == 3
    told = capsys.readouterr().err
    assert "error: S3 is away." in told
    assert "gone" in told
    assert "a-secret-of-the-pod" not in told
