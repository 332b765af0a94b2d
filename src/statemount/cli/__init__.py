"""The command line, thin: it reads options, calls the library and prints."""

from statemount.cli.program import main

__all__ = ["main"]
