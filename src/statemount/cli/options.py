"""Options that are settings: they take name, default and meaning from there, and show their environment variable."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from statemount.settings import Setting, settings

_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])

_SETTINGS: dict[str, Setting] = {setting.name: setting for setting in settings()}


def setting_option(name: str, type: click.ParamType[Any] | None = None) -> Callable[[_FunctionT], _FunctionT]:
    """Return a decorator that adds the option for a setting.

    Args:
        type: What the option takes; None = text.
    """
    setting = _SETTINGS[name]
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        type=type,
        envvar=setting.variable,
        show_envvar=True,
        show_default=setting.default or False,
        help=setting.description.replace("`", ""),
    )


def environment_with(given: Mapping[str, object]) -> dict[str, str]:
    """Return the process's environment, with what was given as options in it.

    Args:
        given: Values of settings, by name; None = not given.
    """
    environ = dict(os.environ)
    for name, value in given.items():
        setting = _SETTINGS[name]
        if value is not None and environ.get(setting.variable) != str(value):
            for variable in setting.variables:
                environ.pop(variable, None)
            environ[setting.variable] = str(value)
    return environ
