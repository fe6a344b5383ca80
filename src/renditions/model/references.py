"""References to environment variables in a pipeline file: ``${NAME}``.

A file contains only the reference. The value is read from the environment when it is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class VariableUnset(LookupError):
    """A reference names a variable that is unset or empty."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the environment variable {name} isn't set or is empty")


def find_variables(text: str) -> tuple[str, ...]:
    """Return the names of the variables that a text refers to."""
    return tuple(_REFERENCE.findall(text))


def fill_in(text: str, environ: Mapping[str, str]) -> str:
    """Return a text with the values in place of its references.

    Raises:
        VariableUnset: A variable is unset or empty.

    """

    def value_of(found: re.Match[str]) -> str:
        if not (value := environ.get(found[1])):
            raise VariableUnset(found[1])
        return value

    return _REFERENCE.sub(value_of, text)
