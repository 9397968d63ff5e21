"""What is masked in a text by its form alone."""

import pytest

from goodhart_gap.provenance.redaction import redact


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://user:pa'ss@host/x", "http://***@host/x"),
        ("http://ghp_0123456789@host/x", "http://***@host/x"),
        ("['https://x-token@host', 'b']", "['https://***@host', 'b']"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ('"https://host","a@b"', '"https://host","a@b"'),
        ("https://host and a@b", "https://host and a@b"),
    ],
)
def test_credentials_in_addresses(text: str, masked: str) -> None:
    assert redact(text) == masked
