"""The command that a program agent runs for a trial: a list of words made from a template, never for a shell."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lineal.core.errors import InvalidSweep
from lineal.sweeps.config import nested

DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
_MACRO = re.compile(r"\$\{([^{}]*)\}")
_LISTS = ("args", "args_no_hyphens", "args_no_boolean_flags")
_KNOWN = ("env", "interpreter", "program", *_LISTS, "args_json", "args_json_file", "envvar:NAME")


def build(
    template: Sequence[str],
    program: str | None,
    params: Mapping[str, Any],
    *,
    variable: Callable[[str], str | None],
    write: Callable[[str], str],
) -> list[str]:
    """The words to run, each macro replaced by what it means; nothing in a value is ever read as anything else.

    `params` go by dotted name. `variable` knows the environment, `write` puts a text into a file and tells where.
    Raises invalid.sweep for a macro without a meaning.
    """
    if not template:
        raise InvalidSweep("the sweep's `command` is empty; leave it out for python running the `program`")
    meaning = _Meaning(program, params, variable, write)
    return [word for item in template for word in _words(item, meaning)]


def _words(item: str, meaning: _Meaning) -> Iterator[str]:
    whole = _MACRO.fullmatch(item)
    if whole and whole[1] in _LISTS:
        yield from meaning.arguments(whole[1])
    elif not (whole and whole[1] == "env" and sys.platform == "win32"):  # there is none
        yield _MACRO.sub(lambda found: meaning.of(found[1], item), item)


class _Meaning:
    """What macros mean for one trial."""

    def __init__(
        self,
        program: str | None,
        params: Mapping[str, Any],
        variable: Callable[[str], str | None],
        write: Callable[[str], str],
    ) -> None:
        self._program, self._params = program, params
        self._variable, self._write = variable, write

    def arguments(self, macro: str) -> Iterator[str]:
        hyphens = "" if macro == "args_no_hyphens" else "--"
        for name, value in self._params.items():
            if macro == "args_no_boolean_flags" and isinstance(value, bool):
                if value:
                    yield f"--{name}"
            else:
                yield f"{hyphens}{name}={shown(value)}"

    def of(self, macro: str, item: str) -> str:
        kind, colon, name = macro.partition(":")
        if kind == "envvar" and colon:
            return self._of_environment(name)
        match macro:
            case "env":
                return "/usr/bin/env"
            case "interpreter":
                return sys.executable
            case "program":
                if not self._program:
                    raise InvalidSweep("the sweep's `command` runs ${program}, but it names no `program`")
                return self._program
            case "args_json":
                return self._json()
            case "args_json_file":
                return self._write(self._json())
        if macro in _LISTS:
            raise InvalidSweep(f"${{{macro}}} becomes several words: make it an item of `command` by itself")
        known = ", ".join(f"${{{one}}}" for one in _KNOWN)
        hint = f"; ${{envvar:{macro}}} is a variable of the environment" if macro.isidentifier() else ""
        raise InvalidSweep(f"${{{macro[:80]}}} in `command` means nothing{hint}; known are {known}")

    def _of_environment(self, name: str) -> str:
        value = self._variable(name) if name else None
        if value is None:
            raise InvalidSweep(f"`command` has ${{envvar:{name[:80]}}}, but this variable is not set here")
        return value

    def _json(self) -> str:
        return json.dumps(nested(self._params), ensure_ascii=False)


def shown(value: Any) -> str:
    """A value as a program's argument: as Python prints it, lists and mappings as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | tuple) else str(value)
