"""A file descriptor that is ready at a steady rate, to a few microseconds: epoll alone waits in milliseconds."""

from __future__ import annotations

import ctypes
import os

_CLOCK_MONOTONIC = 1
_NANOSECONDS = 1_000_000_000


class _Spec(ctypes.Structure):
    _fields_ = [
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("first_seconds", ctypes.c_long),
        ("first_nanoseconds", ctypes.c_long),
    ]


def open_timer(interval: float) -> int:
    """Return a file descriptor that is ready after every interval, in seconds; eight bytes can then be read from it.

    ``os.timerfd_create`` exists from Python 3.13 on.

    Raises:
        OSError: The system has no such timers.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    seconds, nanoseconds = divmod(max(1, int(interval * _NANOSECONDS)), _NANOSECONDS)
    spec = _Spec(seconds, nanoseconds, seconds, nanoseconds)
    if descriptor < 0 or libc.timerfd_settime(descriptor, 0, ctypes.byref(spec), None) != 0:
        raise OSError(ctypes.get_errno(), "no timer")
    return int(descriptor)
