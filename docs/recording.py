"""Record the README's commands in a terminal as ``docs/images/recording.svg``.

Each line appears after the time that the commands really took. ``make pictures`` runs this.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageOps
from rich.console import Console
from rich.text import Text

from renditions.demo.scenery import draw_pictures

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "images" / "recording.svg"
COLUMNS = 88
TYPING_SECONDS = 1.5
"""How long a person takes to type a command. A file that is younger than a second is still being written."""
STYLE = """
    @media (prefers-reduced-motion: no-preference) {
      text[clip-path] { opacity: 0; animation: appear 1ms forwards; }
      @keyframes appear { to { opacity: 1; } }
    }
"""


def read_commands() -> tuple[str, list[str]]:
    """Return the pipeline file of the README, and the commands below it."""
    text = (ROOT / "README.md").read_text("utf-8")
    pipeline = text.partition("```toml\n")[2].partition("```")[0]
    commands = text.partition("## What comes out")[2].partition("```sh\n")[2].partition("```")[0]
    return pipeline, commands.splitlines()


def run_in_terminal(command: str, home: Path) -> str:
    """Run a command as in a terminal of ``COLUMNS`` columns; return what it printed."""
    main, other = pty.openpty()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {"HOME": str(home), "PATH": path, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    with subprocess.Popen(
        ["sh", "-c", command], cwd=home, env=environ, stdin=other, stdout=other, stderr=other
    ) as running:
        os.close(other)
        printed = io.BytesIO()
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # Linux reports the end of a terminal's output as an error
                break
            if not part:
                break
            printed.write(part)
    os.close(main)
    if running.returncode:
        raise RuntimeError(f"{command} ended with {running.returncode}: {printed.getvalue().decode()}")
    return printed.getvalue().decode()


def last_state(printed: str) -> str:
    """Return the lines without those that a progress display overwrote."""
    lines = []
    for line in re.sub(r"\x1b\[\?25[lh]", "", printed).replace("\r\n", "\n").split("\n"):
        kept = line.rpartition("\x1b[2K")[2].rpartition("\r")[2]
        lines.append(kept)
    return "\n".join(lines).rstrip()


def main() -> None:
    """Run the commands and write the recording."""
    pipeline, commands = read_commands()
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    delays: list[float] = []
    now = 0.0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "renditions.toml").write_text(pipeline, "utf-8")
        (home / "Pictures").mkdir()
        photo = next(path for path in draw_pictures(home / "Pictures") if path.suffix == ".jpg")
        with Image.open(photo) as picture:
            ImageOps.fit(picture, (1920, 1080)).save(home / "Pictures" / "photo.jpg", quality=90)
        for command in commands:
            time.sleep(TYPING_SECONDS)
            started = time.monotonic()
            printed = last_state(run_in_terminal(command, home))
            console.print(Text.assemble(("$ ", "green"), (command, "bold")))
            delays.append(now := now + TYPING_SECONDS)
            now += time.monotonic() - started
            if printed:
                output = Text.from_ansi(printed)
                console.print(output)
                delays += [now] * len(output.wrap(console, COLUMNS))
    svg = console.export_svg(title="renditions")
    TARGET.write_text(animate(svg, delays), "utf-8")


def animate(svg: str, delays: list[float]) -> str:
    """Let each line appear after its delay, for readers who allow motion."""

    def delay(match: re.Match[str]) -> str:
        seconds = delays[min(int(match[1]), len(delays) - 1)]
        return f'{match[0]} style="animation-delay: {seconds:.1f}s"'

    # Without these rules, the picture loads no fonts from a server.
    alone = re.sub(r"@font-face \{.*?\n    \}", "", svg, flags=re.DOTALL)
    moving = re.sub(r'clip-path="url\(#[\w-]+-line-(\d+)\)"', delay, alone)
    return moving.replace("</style>", f"{STYLE}    </style>", 1)


if __name__ == "__main__":
    main()
