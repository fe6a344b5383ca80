"""Measure copied and renamed projects: ``python -m benchmarks.content``.

Set ``PYTHONPATH=tests``. A project of 1,000 pictures with four renditions each is synced, and then copied,
cloned and touched. The benchmark counts how many pictures each sync renders and how many outputs it writes.
Then a folder of 500 pictures with focus points is renamed, on a disk and in a bucket on moto's server. The
benchmark counts the requests to this server. It also compares the time of the SHA-256 with the time that
decoding and rendering take. The results go into ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.report import Table, describe_machine, replace_section, to_markdown, to_text, today
from contract.cloud import CLIENTS, REGION, make_table, run_moto
from infra.calls import recorded
from renditions.core.ask import Ask
from renditions.core.binding import Start
from renditions.core.leases import wish
from renditions.core.ports import IfAbsent, IfMatch
from renditions.core.reconcile import Run, sync
from renditions.core.summary import Summary
from renditions.imaging.render import render
from renditions.model.catalog_place import CatalogPlace
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Accept, Analyze, Pipeline
from renditions.model.recipe import Focus, Rendition
from renditions.model.rendering import Rendering
from renditions.model.source import Source
from renditions.model.wishes import Wishes
from renditions.runtime.parts import Parts, now, open_parts

THREADS = 1
"""libvips has one error buffer for a process, so pictures are rendered one after the other."""
ROUNDS = 9
RENDITIONS = {f"w{width}": Rendition(width=width) for width in (48, 32, 24, 16)}
THUMB = {"thumb": Rendition(width=16, height=16, fit="cover", gravity="focus")}


def main() -> None:
    """Measure, print the tables, and write them into the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.content", description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--renamed", type=int, default=500)
    asked = parser.parse_args()
    tables = [_measure_copies(asked.pictures), _measure_renames(asked.renamed), _measure_hash()]
    for table in tables:
        print(to_text(table), flush=True)
    arguments = f"--pictures {asked.pictures} --renamed {asked.renamed}"
    head = f"`PYTHONPATH=tests python -m benchmarks.content {arguments}`, {today()}, on {describe_machine()}."
    replace_section("content", "\n\n".join([head, *map(to_markdown, tables)]))


def _measure_copies(count: int) -> Table:
    table: Table = [["what happened", "pictures", "rendered", "outputs written", "seconds"]]
    with tempfile.TemporaryDirectory() as name:
        first = Path(name) / "first"
        (first / "in").mkdir(parents=True)
        for number in range(count):
            (first / "in" / f"{number:05}.jpg").write_bytes(draw(number))
        time.sleep(1)
        table.append(_row("it is new", first, count))
        copied, cloned = Path(name) / "copied", Path(name) / "cloned"
        shutil.copytree(first, copied, copy_function=shutil.copy2)
        table.append(_row("`cp -a`", copied, count))
        shutil.copytree(first, cloned, copy_function=shutil.copyfile)
        table.append(_row("`git clone`", cloned, count))
        for path in (first / "in").iterdir():
            path.touch()
        table.append(_row("`touch`", first, count))
    return table


def _row(what: str, folder: Path, count: int) -> list[str]:
    pipeline = Pipeline(
        source=Source(store="in", settle=0),
        output=OutputPlace(store="out"),
        catalog=CatalogPlace(store="sqlite:catalog.db"),
        renditions=RENDITIONS,
    )
    before = _list(folder / "out")
    with _opened(pipeline, folder) as (parts, rendered):
        started = time.perf_counter()
        summary = _sync(parts, rendered)
        seconds = time.perf_counter() - started
    if summary.has_trouble:
        raise RuntimeError(f"{folder}: {summary}")
    written = len(_list(folder / "out").items() - before.items())
    return [what, f"{count:,}", f"{rendered['pictures']:,}", f"{written:,}", f"{seconds:.1f}"]


def _list(folder: Path) -> dict[str, int]:
    """Return the inode of each output. A rewritten file has another inode."""
    return {str(path): path.stat().st_ino for path in folder.rglob("*.jpg") if path.is_file()}


def _measure_renames(count: int) -> Table:
    table: Table = [["500 renamed pictures with a focus", "rendered", "focus kept", "requests"]]
    table[0][0] = f"{count:,} renamed pictures with a focus"
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "in").mkdir()
        pipeline = Pipeline(
            source=Source(store="in", settle=0),
            output=OutputPlace(store="out"),
            catalog=CatalogPlace(store="sqlite:catalog.db"),
            renditions=THUMB,
        )
        table.append(["in a folder", *_rename(pipeline, Path(name), count)])
    with run_moto(keys_of_page=1000) as environ:
        os.environ.update(environ)
        for bucket in ("content-in", "content-out"):
            where = {"LocationConstraint": REGION}
            CLIENTS.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        make_table("content", CatalogPlace().key)
        pipeline = Pipeline(
            source=Source(store="s3://content-in/"),
            output=OutputPlace(store="s3://content-out/"),
            catalog=CatalogPlace(store="dynamodb:content"),
            renditions=THUMB,
        )
        table.append(["in a bucket", *_rename(pipeline, Path(), count)])
    return table


def _rename(pipeline: Pipeline, folder: Path, count: int) -> list[str]:
    names = [f"{number:05}.jpg" for number in range(count)]
    with _opened(pipeline, folder) as (parts, rendered):
        for number, name in enumerate(names):
            parts.source.put(f"old/{name}", draw(number), IfAbsent(), "image/jpeg")
        _sync(parts, rendered)
        for number, record in enumerate(parts.catalog.list()):
            wish(parts.catalog, record, Wishes(Focus(x=number % 100, y=50)))
        _sync(parts, rendered)
        focus = {record.name[4:]: record.wishes for record in parts.catalog.list()}
        for name in names:
            if found := parts.source.get(f"old/{name}"):
                parts.source.put(f"new/{name}", found[1], IfAbsent(), "image/jpeg")
                parts.source.delete(f"old/{name}", IfMatch(found[0].etag))
    with recorded() as calls, _opened(pipeline, folder) as (parts, rendered):
        _sync(parts, rendered)
        kept = sum(focus[record.name[4:]] == record.wishes for record in parts.catalog.list())
    counted = Counter(f"{call.service} {call.operation}" for call in calls)
    spelled = ", ".join(f"{number:,} {kind}" for kind, number in sorted(counted.items())) or "none"
    return [f"{rendered['pictures']:,}", f"{kept:,}", spelled]


@contextmanager
def _opened(pipeline: Pipeline, folder: Path) -> Iterator[tuple[Parts, Counter[str]]]:
    with open_parts(pipeline, folder) as parts:
        yield parts, Counter()


def _sync(parts: Parts, rendered: Counter[str]) -> Summary:
    """Sync as a person does; count the rendered pictures, and return the summary."""

    def counting(
        content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
    ) -> Rendering:
        rendered["pictures"] += 1
        return render(content, accept, recipes, analyze)

    ask = Ask(verify=parts.default_verify(is_attended=True))
    standing = parts.bind(Start(sets_generation=True))
    processor = parts.make_processor(counting, "benchmark", standing)
    return sync(
        Run(
            differences=lambda ask: parts.plan(ask=ask),
            process=processor.process,
            guard=parts.preview_guard(),
            ask=ask,
            threads=THREADS,
            stop=threading.Event(),
            on_outcome=lambda _: None,
            clock=now,
            folding=parts.output.folding,
        )
    )


def _measure_hash() -> Table:
    table: Table = [["picture", "SHA-256, ms", "four renditions, ms of CPU", "share"]]
    recipes = {f"w{width}": Rendition(width=width) for width in (1200, 600, 300, 200)}
    for label, width, height in (("1 megapixel", 1200, 900), ("12 megapixels", 4000, 3000)):
        content = draw(1, width, height)
        pipeline = Pipeline(source=Source(store="in"), output=OutputPlace(store="out"), renditions=recipes)
        hashing = _cpu_ms(lambda content=content: hashlib.sha256(content).hexdigest())  # type: ignore[misc]
        rendering = _cpu_ms(
            lambda content=content, asked=pipeline: render(content, asked.accept, recipes)  # type: ignore[misc]
        )
        share = f"{100 * hashing / (hashing + rendering):.1f} %"
        size = f"{label}, {len(content) / 1e6:.1f} MB"
        table.append([size, f"{hashing:.2f}", f"{rendering:.0f}", share])
    return table


def _cpu_ms(work: Callable[[], object]) -> float:
    """Return the median CPU time of a call in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        times.append(1000 * (time.process_time() - started))
    return statistics.median(times)


def draw(seed: int, width: int = 64, height: int = 48) -> bytes:
    """Return a JPEG of soft noise, which is different for each seed."""
    shape = (max(height // 16, 3), max(width // 16, 4), 3)
    grain = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC).save(file, "jpeg", quality=92)
    return file.getvalue()


if __name__ == "__main__":
    main()
