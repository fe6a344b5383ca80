"""The command line of libvips, called once for each rendition, as in a script.

The time to start the command counts too.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from benchmarks.worker import Job, UnsupportedError, serve


def make(content: bytes, job: Job) -> list[bytes]:
    """Return the file of each rendition."""
    # If it must convert a picture without a profile, it changes the colours.
    convert = ["--eprofile", "srgb"] if b"ICC_PROFILE" in content[:65_536] else []
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for box in job.boxes:
            output = Path(folder, f"{box}.{job.format}")
            to = ["--size", f"{box}x{box}", "-o", f"{output}[Q={job.quality},strip]"]
            command = ["vipsthumbnail", job.input, *convert, *to]
            ended = subprocess.run(command, check=False, capture_output=True, text=True)
            if ended.returncode:
                raise UnsupportedError("Debian's build can't read it")
            made.append(output.read_bytes())
        return made


if __name__ == "__main__":
    printed = subprocess.run(["vipsthumbnail", "--vips-version"], check=True, capture_output=True, text=True)
    serve(make, printed.stdout.strip())
