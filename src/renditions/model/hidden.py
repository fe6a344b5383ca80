"""Characters of names that hide something or change how text around them appears.

A file's name may contain such characters. A terminal treats some of them as commands.
"""

from __future__ import annotations

import re

HIDDEN = r"\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""Control characters (C0, DEL, C1), line separators, and Unicode's controls of direction (annex 9).

These are ranges for a character set in a regular expression. Other invisible characters aren't among them,
because emoji and some scripts need them.
"""

_PATTERN = re.compile(f"[{HIDDEN}]")
_IN_LINES = re.compile(f"(?!\n)[{HIDDEN}]")


def reveal(text: str, *, keep_lines: bool = False) -> str:
    r"""Return the text with hidden characters escaped: ``\x1b``, ``\u202e``.

    ``keep_lines`` keeps line feeds, for a text that isn't only a name.
    """
    pattern = _IN_LINES if keep_lines else _PATTERN
    return pattern.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def reveal_in_json(text: str) -> str:
    r"""Return JSON with its hidden characters escaped, except line feeds.

    Programs read the same values from the result. Python's ``json`` escapes only some of these characters.
    """
    return _IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
