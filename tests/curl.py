"""As much of curl as the documentation uses, for machines that do not have it."""

from __future__ import annotations

import argparse
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def main() -> None:
    """Make the request that the arguments ask for, and print the body of its answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    arguments = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in arguments.headers)
    body = None if arguments.data is None else arguments.data.encode()
    request = Request(arguments.url, body, headers, method=arguments.method)
    try:
        with urlopen(request) as response:
            answer = response.read()
    except HTTPError as error:
        with error:
            answer = error.read()
    if answer:
        sys.stdout.write(answer.decode().removesuffix("\n") + "\n")


if __name__ == "__main__":
    main()
