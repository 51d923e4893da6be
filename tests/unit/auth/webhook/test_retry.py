from __future__ import annotations

import json

import pytest

from controlplane.auth.webhook.retry import Failure, pauses, refusal


def status(code: int, reason: str, message: str = "m", **details: object) -> bytes:
    """A Status object."""
    return json.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    ).encode()


def test_pauses_grow_by_half_and_are_jittered() -> None:
    """Four pauses from 500 ms on, each up to a fifth longer."""
    shortest, longest = list(pauses(lambda: 0.0)), list(pauses(lambda: 1.0))

    assert [0.5, 0.75, 1.125, 1.6875] == shortest
    assert longest == pytest.approx([0.6, 0.9, 1.35, 2.025])


@pytest.mark.parametrize(
    ("code", "body", "retry_after", "retried", "after"),
    [
        (500, b"", "", True, 0.0),
        (502, b"oops", "", True, 0.0),
        (503, b"", "", False, 0.0),
        (503, b"", "2", True, 2.0),
        (503, b"", "0", True, 0.0),
        (504, b"", "", True, 0.0),
        (429, b"", "", True, 0.0),
        (429, b"", "3", True, 3.0),
        (400, b"", "", False, 0.0),
        (403, b"[]", "", False, 0.0),
        (500, b"", "Wed, 21 Oct 2026 07:28:00 GMT", True, 0.0),
        (500, status(500, "InternalError"), "", True, 0.0),
        (500, status(500, "Forbidden"), "", False, 0.0),
        (500, status(500, "Odd"), "", True, 0.0),
        (502, status(502, "Odd"), "", False, 0.0),
        (503, status(503, "ServiceUnavailable", retryAfterSeconds=4), "", True, 4.0),
        (500, status(500, "ServerTimeout"), "", True, 0.0),
        (403, status(403, "Forbidden"), "", False, 0.0),
        (500, b'{"kind":"Status","reason":[],"details":[]}', "", True, 0.0),
    ],
)
def test_what_passes_is_tried_again(code: int, body: bytes, retry_after: str, retried: bool, after: float) -> None:
    """A Status object's reason decides, else the status code; a time to come back is always heeded."""
    actual = refusal(code, body, retry_after)

    assert (retried, after, code) == (actual.retried, actual.after, actual.code)


def test_a_message_is_shown_on_one_line() -> None:
    """The server's message is cut and made one line."""
    actual = refusal(403, status(403, "Forbidden", "no\n\x1b[1mentry" + "!" * 300), "")

    assert "the server answered 403: no [1mentry" + "!" * 189 == actual.reason


def test_a_gateway_that_waited_in_vain_counts_as_a_timeout() -> None:
    """504 is a timeout, as the client's own is."""
    actual = refusal(504, b"", "")

    assert Failure("the server answered 504", 504, timeout=True, retried=True) == actual
