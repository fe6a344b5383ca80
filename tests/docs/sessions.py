"""Run the snippets of a page in a folder of its own, as a reader would.

``python -m docs.sessions PAGE…`` prints what each block prints. With ``DOCS_LONG`` in the environment, blocks
that take long run too.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import hcl2

from commands import RENDITIONS
from docs.pages import ROOT
from docs.scenes import SCENES, free_port
from docs.snippets import Page, Snippet, read_page
from renditions.errors import PipelineError
from renditions.pipeline_file.reading import parse

WITH_LONG = "DOCS_LONG" in os.environ
PROGRAMS = os.environ.get("DOCS_PROGRAMS", RENDITIONS.parent)
"""The folder of the installed commands that the pages run."""
_SECONDS, _LONG_SECONDS = 120, 1_500
_MINIMUM = {
    "source": '[source]\nstore = "./inbox"\n',
    "output": '[output]\nstore = "./processed"\n',
    "renditions": "[renditions.thumb]\nwidth = 200\n",
}
"""The tables that a part of a pipeline file lacks to be a whole file."""


@dataclass
class Session:
    """One run of a page."""

    folder: Path
    environment: Mapping[str, str]
    with_long: bool
    output: str = ""
    """What the last commands printed, on stdout and stderr."""
    ports: Mapping[str, str] = field(
        default_factory=lambda: {"8080": str(free_port()), "8000": str(free_port())}
    )
    """The free port that replaces each port of the pages, which may be in use."""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, snippet: Snippet) -> str | None:
        """Run a snippet; return what is wrong, or None."""
        code = self._with_stand_ins(snippet.code)
        if "output" in snippet.marks:
            return self._compare(code)
        if "file" in snippet.marks:
            path = Path(self.environment["HOME"], self._directory(), snippet.marks["file"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)
            return None
        match snippet.language:
            case "sh":
                return self._run_commands(code, snippet.marks, _LONG_SECONDS if self.with_long else _SECONDS)
            case "python":
                path = self.folder / f"snippet-{snippet.line}.py"
                path.write_text(code)
                return self._run_commands(f"python {path}\n", snippet.marks, _SECONDS)
            case language:
                return check(language, code, self._directory())

    def _with_stand_ins(self, text: str) -> str:
        for written, stand_in in {**self.ports, **self.environment}.items():
            if not written.isidentifier():
                text = text.replace(written, stand_in)
        return text

    def _directory(self) -> Path:
        with suppress(FileNotFoundError):
            return Path((self.folder / "directory").read_text().strip())
        return Path(self.environment["HOME"])

    def _run_commands(self, code: str, marks: Mapping[str, str], seconds: float) -> str | None:
        saved = self.folder / "environment"
        saved.touch()
        script = self.folder / "block.sh"
        keep = f"export -p > {saved}; pwd > {self.folder / 'directory'}"
        serve = f'"$1" = serve && set -- "$@" --port {self.ports["8080"]}'
        functions = f'renditions() {{ test {serve}; command renditions "$@"; }}\n'
        before = f"source {saved}\ncd '{self._directory()}'\ntrap '{keep}' EXIT\nset -ea\n"
        script.write_text(f"{functions}{before}{code}")
        answers = self.folder / "answers"
        answers.write_text("yes\n" * 20)
        printed = self.folder / f"printed-{len(self.started)}"
        with printed.open("wb") as file, answers.open("rb") as asked:
            running = subprocess.Popen(
                ["bash", str(script)],
                stdin=asked,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in self.environment.items() if name.isidentifier()},
                start_new_session=True,
            )
        self.started.append(running)
        if "background" in marks:
            return self._wait_for(running, marks["background"], printed)
        try:
            ended = running.wait(seconds)
        except subprocess.TimeoutExpired:
            return f"still running after {seconds} seconds:\n{printed.read_text('utf-8', 'replace')}"
        self.output = printed.read_text("utf-8", "replace")
        wanted = int(marks.get("exit", "0"))
        return None if ended == wanted else f"expected exit code {wanted}, found {ended}:\n{self.output}"

    def _wait_for(self, running: subprocess.Popen[bytes], text: str, printed: Path) -> str | None:
        text = self._with_stand_ins(text)
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until and running.poll() is None:
            self.output = printed.read_text("utf-8", "replace")
            if text in self.output:
                return None
            time.sleep(0.1)
        return f"expected {text!r} from a running program, found: {printed.read_text('utf-8', 'replace')}"

    def _compare(self, wanted: str) -> str | None:
        lines = [" ".join(line.split()) for line in self.output.splitlines()]
        rest = iter(filter(None, lines))
        for line in filter(None, (" ".join(line.split()) for line in wanted.splitlines())):
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            if line != "…" and not any(re.fullmatch(pattern, each) for each in rest):
                return f"expected the line {line!r} in the output, found:\n{self.output}"
        return None

    def end(self) -> None:
        """End the programs that still run."""
        for running in self.started:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGTERM)
        for running in self.started:
            with suppress(subprocess.TimeoutExpired):
                running.wait(20)


def check(language: str, code: str, directory: Path) -> str | None:
    """Return what is wrong with a snippet that isn't run, or None."""
    try:
        if language == "json":
            json.loads(code.replace("…", ""))
        elif language == "hcl":
            hcl2.loads(code)
        elif language == "toml":
            more = "".join(text for table, text in _MINIMUM.items() if f"[{table}" not in code)
            parse(f"{code}\n{more}", "renditions.toml", directory, {})
        else:
            return f"nothing runs a block of the language {language!r}; name its file"
    except (ValueError, PipelineError) as error:
        return str(error)
    return None


@contextmanager
def open_session(page: Page, folder: Path, *, with_long: bool) -> Iterator[Session]:
    """Prepare the folder of a page, and yield its session."""
    home = folder / "home"
    home.mkdir()
    environment = {
        "HOME": str(home),
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}:/usr/sbin",
        "LANG": "C.UTF-8",
        "COLUMNS": "110",
        "PYTHONPATH": "",
        "REPOSITORY": str(ROOT),
        "TESTS_PYTHON": sys.executable,
    }
    with ExitStack() as stack:
        environment |= SCENES[page.marks.get("scene", "empty")](home, stack)
        session = Session(folder, environment, with_long)
        try:
            yield session
        finally:
            session.end()


def run_page(
    page: Page, folder: Path, *, with_long: bool = False
) -> Iterator[tuple[Snippet, str | None, str]]:
    """Run a page; yield each snippet that ran, its problem and the last output."""
    with open_session(page, folder, with_long=with_long) as session:
        for snippet in page.snippets:
            skipped = snippet.is_illustration or snippet.marks.keys() & {"not run", "tested by"}
            if skipped or ((snippet.is_long or page.is_long) and not with_long):
                continue
            yield snippet, session.run(snippet), session.output


def main() -> None:
    """Print what the blocks of some pages print."""
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            page = read_page(Path(name).resolve())
            for snippet, problem, output in run_page(page, Path(folder), with_long=WITH_LONG):
                print(f"\n>>> {snippet.place}\n{snippet.code}", end="")
                if snippet.language in ("sh", "python") and "file" not in snippet.marks:
                    print(f"--- printed\n{output}", end="")
                if problem:
                    sys.exit(f"--- WRONG\n{problem}")


if __name__ == "__main__":
    main()
