"""Hostile requests, what must hold of every answer, and what was found: see :mod:`tests.fuzzing.__main__`."""
