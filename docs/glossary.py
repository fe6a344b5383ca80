"""Find words that this project doesn't use, and long docstrings: `make lint`.

The output says what to write instead. CONTRIBUTING.md has the rules behind these checks.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COVERED = ("*.md", "Makefile", "benchmarks", "docs", "examples", "infra", "src", "tests")
SUFFIXES = {"", ".css", ".hcl", ".html", ".js", ".md", ".py", ".tf", ".toml"}
QUOTING = {"CONTRIBUTING.md", "docs/glossary.py"}  # These files list the words, so they aren't checked.
FIRST_LINE = 79
"""The most characters of a docstring's first line."""

# A regular expression for words in any case, and what to write instead. A space also stands for a line's
# end and for the underscore in a test's name.
BE = "(?:is|are|was|were|be|been|being|not)"
GLOSSARY = {
    rf"in work|{BE} worked on|worked off": "in progress, being processed",
    r"anew": "again",
    r"(?:who|whom)(?:so)?ever|(?:some|no|any|every)body|(?:some|any|every)one": (
        "the actor: the worker, the caller, the client, another process"
    ),
    r"whatever (?:is|was|has|holds|else|comes|came|it|they|happens|fails|failed|wires)": "any, or name it",
    rf"{BE} had(?= at| by| from|[,.;:])|to be had": "is served at, is available",
    r"(?:comes?|came|coming) again": "is redelivered",
    r"look(?:ed|s|ing)? at": "check, read, measure",
    rf"{BE} told|tells? (?:of|whether|that|what|which|how|why)|told (?:of|by|apart)|hea(?:rs?|rd) of": (
        "report, say, identify, get a notice about"
    ),
    r"(?:same|signed) address(?:es)?|address of (?:a|the) page": "URL",
    r"dead letters": "dead-letter queue",
    r"as declared or decided": "unchanged",
    rf"(?:{BE}|made|already) right(?= (?:and|or|as|when|if|for|in)|[,.;:)\n])": "is valid, is correct",
    r"(?:to|that|until it) rests?|at rest": "stop changing",
    rf"{BE} to be (?!sure)\w+": "will be, must be",
    r"(?:of|in|for|to|by|from|with) whom|of which|(?:where|there)(?:from|of|by|in)": "two sentences",
    r"shall": "must, will, or the imperative",
    r"photograph that is turned": "a rotated photo",
    r"as it should be": "valid",
    r"how manieth": "which",
}
GAP = r"(?:_|\s+(?:(?:#|//) )?)"
PATTERNS = {
    re.compile(rf"(?<![a-z0-9])(?:{word.replace(' ', GAP)})(?![a-z0-9])", re.IGNORECASE): use
    for word, use in GLOSSARY.items()
}


def main() -> int:
    """Print `file:line: word → use instead` for each word; return the exit code."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *COVERED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = 0
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix not in SUFFIXES or not path.is_file() or path.is_symlink():
            continue
        text = path.read_text(encoding="utf-8")
        words = find_words(text) if name not in QUOTING else ()
        lines = find_long_lines(text) if path.suffix == ".py" else ()
        for line, problem in (*words, *lines):
            print(f"{name}:{line}: {problem}")
            found += 1
    return 1 if found else 0


def find_words(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each word that this project doesn't use, and what to write."""
    for pattern, use in PATTERNS.items():
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, f"{match.group()} → {use}"


def find_long_lines(code: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each docstring whose first line is too long, and what to do."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            if len(first) > FIRST_LINE:
                length = f"a docstring's first line of {len(first)} characters"
                yield node.body[0].lineno, f"{length} → at most {FIRST_LINE}, and a second paragraph"


if __name__ == "__main__":
    sys.exit(main())
