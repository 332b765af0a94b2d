"""What is asked in one go: a few requests, written so that people and fuzzers can change them.

A case is bytes, and any bytes are a case. Requests stand one after the other, with a line of ``%%`` between them. Each
is a request line, headers, an empty line and the body, as in HTTP/1.1, but for a version and with lines that end in
``\\n``. Header lines that begin with ``@`` are no headers; they say how a server hands the request over:

``@chunk: 3``     the body comes in pieces of so many bytes
``@gone:``        the client goes away before the body is complete
``@no-raw-path:`` the server gives no ``raw_path``
``@root-path: /`` the app is mounted there

The words of :mod:`tests.fuzzing.world` stand anywhere, such as ``<own>`` for the token of a worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_REQUESTS = 5
_BETWEEN = b"\n%%\n"
_NO_PART_OF_A_VALUE = bytes.maketrans(b"\r\n\0", b"   ")


@dataclass
class Call:
    """One request of a case.

    Args:
        headers: Names and values, as often as they are there; names that begin with ``@`` included.
    """

    method: bytes = b"GET"
    target: bytes = b"/"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def option(self, name: bytes) -> bytes | None:
        """Return what a line with ``@`` says; None = there is none."""
        return next((value for each, value in self.headers if each == b"@" + name), None)


def read_case(data: bytes) -> list[Call]:
    """Return the requests that bytes mean; there is at least one."""
    return [_read_call(part) for part in data.split(_BETWEEN)[:MAX_REQUESTS]]


def _read_call(data: bytes) -> Call:
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.partition(b" ")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon:
            headers.append((name.strip().lower(), value.translate(_NO_PART_OF_A_VALUE).strip(b" \t")))
    return Call(method.upper() or b"GET", target.strip(), headers, body)


def write_case(calls: Sequence[Call]) -> bytes:
    """Return the bytes that mean these requests."""
    return _BETWEEN.join(map(_write_call, calls))


def _write_call(call: Call) -> bytes:
    lines = [b" ".join((call.method, call.target)), *(b": ".join(header) for header in call.headers)]
    return b"\n".join(lines) + b"\n\n" + call.body
