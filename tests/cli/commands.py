"""The command line in this process: the same code as the command's, without the time that an interpreter takes."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr, redirect_stdout

import pytest

from statemount.cli import main
from tests.servers import clean_environment


def called(*arguments: str, **variables: str) -> tuple[object, str, str]:
    """Call the command line with these arguments and environment variables; return exit code, stdout and stderr."""
    output, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
        patch.setattr("os.environ", clean_environment(variables))
        with pytest.raises(SystemExit) as ended:
            main(arguments)
    return ended.value.code, output.getvalue(), errors.getvalue()


def printed(*arguments: str, **variables: str) -> str:
    """Call the command line, which must succeed and say nothing on stderr; return what it prints."""
    code, output, errors = called(*arguments, **variables)
    assert (code, errors) == (0, "")
    return output.removesuffix("\n")


def refused(*arguments: str, **variables: str) -> str:
    """Call the command line, which must fail with one line on stderr and nothing on stdout; return that line."""
    code, output, errors = called(*arguments, **variables)
    assert code not in (0, None)
    assert output == ""
    assert re.fullmatch(r"statemount: [^\n]+\n", errors), errors
    return errors.strip()
