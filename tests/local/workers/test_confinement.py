"""Attacks by a worker that a picture took over, and the layers that stop them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from PIL import Image

from fuzz.seeds import seeds
from imaging.pictures import encoded
from local.workers.attacks import ATTACKS, ORDINARY_USER, SECRET, Scene
from renditions.errors import Unconfined, WorkerDied
from renditions.imaging.typeface import default_font
from renditions.local.workers.confine import LAYERS
from renditions.local.workers.kernel import NUMBERS
from renditions.local.workers.pool import RenderPool
from renditions.model.fields import Attachment
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import Region, Rendition, Watermark

DOCUMENT = Path(__file__).parents[3] / "docs" / "security.md"
TESTS = Path(__file__).parents[2]
NAMES = tuple(layer.name for layer in LAYERS)
Outcomes = Mapping[str, Mapping[str, str]]
"""For each kind of attack and each attack: ``through``, or the error that stopped it."""
Runs = Mapping[tuple[str, ...], Outcomes]
"""The outcomes by the names of the layers that were on."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="most layers are Linux's")


@contextmanager
def prepared_scene(user: int) -> Iterator[Scene]:
    """Yield the targets of the attacks, which belong to this user."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scene-")))
        for name in ("credentials", "catalog.db", "to-truncate", "to-delete", "to-rename"):
            (folder / name).write_bytes(SECRET)
        (folder / "mounted").mkdir()
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0renditions-{os.getpid()}-{user}")
        path = stack.enter_context(socket.socket(socket.AF_UNIX))
        path.bind(str(folder / "listening"))
        for listener in (abstract, path):
            listener.listen(100)
        for each in (folder, *folder.iterdir()):
            os.chown(each, user, user)
        victim = stack.enter_context(
            subprocess.Popen(
                [sys.executable, TESTS / "local" / "workers" / "attacks.py", str(user)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"SECRET": SECRET.decode()},
            )
        )  # fmt: skip
        stack.callback(victim.kill)
        assert victim.stdout
        secret_at = int(victim.stdout.readline())
        name = abstract.getsockname().decode().removeprefix("\0")
        yield Scene(str(folder), victim.pid, secret_at, tcp.getsockname()[1], name, 0)


def run_attacks(scene: Scene, render: str, layers: Iterable[str]) -> Outcomes:
    """Run all attacks in workers that these layers confine; return the outcomes."""
    shown = {name: value for name, value in asdict(scene).items() if name != "descriptor"}
    with RenderPool(1, 60, render, layers=tuple(layers)) as pool:

        def run(kind: str, name: str) -> str:
            content = json.dumps({"kind": kind, "name": name, "scene": shown}).encode()
            try:
                rendering = pool(content, Accept(), {"a": Rendition()})
            except WorkerDied:
                return "through"  # it became another program
            return rendering.made["a"].content.decode()

        return {kind: {name: run(kind, name) for name in attacks} for kind, attacks in ATTACKS.items()}


def run_all(scene: Scene, user: int) -> Runs:
    """Run all attacks without layers, with each layer alone, and with all layers.

    Return the outcomes, by the layers.
    """
    sets: list[tuple[str, ...]] = [(), *((name,) for name in NAMES), NAMES]
    render = f"local.workers.taken_over{'_as_user' if user != os.geteuid() else ''}:attack"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET.decode())
        return {layers: run_attacks(scene, render, layers) for layers in sets}


@pytest.fixture(scope="module", params=["root", "ordinary user"])
def runs(request: pytest.FixtureRequest) -> Iterator[tuple[int, Runs]]:
    """Yield the user and the outcomes."""
    own = os.geteuid()
    if request.param == "root" and own:
        pytest.skip("this user isn't root")
    user = 0 if request.param == "root" else own or ORDINARY_USER
    with prepared_scene(user) as scene:
        yield user, run_all(scene, user)


def possible(outcomes: Outcomes) -> list[tuple[str, str]]:
    """Return the attacks that got through in these outcomes."""
    return [
        (kind, name)
        for kind, attacks in outcomes.items()
        for name, outcome in attacks.items()
        if outcome == "through"
    ]


def test_each_attack_that_needs_no_root_rights_succeeds_without_confinement(
    runs: tuple[int, Runs],
) -> None:
    """An attack that fails without any layer would prove nothing about the layers."""
    user, outcomes = runs
    everything = {(kind, name) for kind, attacks in ATTACKS.items() for name in attacks}
    only_root = {("mounting, other rights of root", "mount"), ("mounting, other rights of root", "bpf")}
    assert everything - set(possible(outcomes[()])) <= (set() if user == 0 else only_root)


def test_all_layers_together_stop_each_attack(runs: tuple[int, Runs]) -> None:
    _, outcomes = runs
    assert possible(outcomes[NAMES]) == []


def table_of(outcomes: Runs) -> str:
    """Return a table in Markdown of the attacks that each layer stops alone."""
    reached = set(possible(outcomes[()]))
    lines = [f"| attack | {' | '.join(NAMES)} |", f"| --- |{' --- |' * len(NAMES)}"]
    for kind, attacks in ATTACKS.items():
        tried = [name for name in attacks if (kind, name) in reached]
        cells = []
        for layer in NAMES:
            stopped = [name for name in tried if outcomes[layer,][kind][name] != "through"]
            is_whole = len(stopped) == len(tried)
            cells.append("yes" if is_whole else ", ".join(f"`{name}`" for name in stopped))
        lines.append(f"| {kind}: {', '.join(f'`{name}`' for name in tried)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_security_page_says_what_each_layer_stops(
    runs: tuple[int, Runs],
) -> None:
    user, outcomes = runs
    if user != 0:
        return  # the table is root's, who can do more
    with RenderPool(1, 60, "local.workers.pool_jobs:act") as pool:
        states = pool.start()
    if any(state.state != "on" for state in states) or "version 7" not in {each.detail for each in states}:
        pytest.skip("the table is that of another kernel")
    assert table_of(outcomes) in DOCUMENT.read_text("utf-8")


LARGE = encoded(Image.new("RGB", (7000, 5100), "teal"), "png")
"""More than 100 MB of pixels: libvips would hold them in a temporary file."""


@pytest.mark.parametrize(
    "name", [*{name.partition(" ")[0]: name for name in reversed(seeds())}.values(), "png large"]
)
def test_a_confined_worker_makes_the_same_bytes_as_an_unconfined_worker(name: str) -> None:
    content = LARGE if name == "png large" else seeds()[name]
    part = Region(left=10, top=10, width=50, height=50)
    recipes = {each.name: Rendition(format=each.name, width=40) for each in OUTPUT_FORMATS.values()}
    recipes = {name: recipe for name, recipe in recipes.items() if recipe.needs_pixels}
    mark = Watermark(text="Ünï", size=50)
    font = Attachment("font.ttf", default_font())
    recipes |= {
        "part": Rendition(crop=part, width=30),
        "marked": Rendition(watermark=mark),
        "font": Rendition(watermark=replace(mark, font=font)),
    }
    if name == "png large":
        recipes = {"part": recipes["part"], "jpeg": recipes["jpeg"]}
    accept = Accept(formats=tuple(SOURCE_FORMATS))
    with RenderPool(1, 60) as confined, RenderPool(1, 60, layers=()) as free:
        rendering = confined(content, accept, recipes)
        assert rendering.made.keys() == recipes.keys(), rendering
        assert rendering == free(content, accept, recipes)


def states_of(limits: Limits) -> Mapping[str, str]:
    with RenderPool(1, 60, "local.workers.pool_jobs:act", limits) as pool:
        return {state.name: state.state for state in pool.start()}


def test_workers_are_confined_unless_the_pipeline_file_declares_confine_none() -> None:
    assert set(states_of(Limits()).values()) == {"on"}
    assert states_of(Limits(confine="require")) == states_of(Limits())
    assert set(states_of(Limits(confine="none")).values()) == {"off"}


LACKING = """
from local.workers.pool_jobs import act
from renditions.local.workers import landlock
call = landlock.call
def call_old_kernel(name, *arguments):
    if name.startswith("landlock"):
        raise OSError(38, "Function not implemented")
    return call(name, *arguments)
landlock.call = call_old_kernel
"""


@pytest.fixture
def kernel_without_landlock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have workers import a module that stands for a kernel without Landlock."""
    (tmp_path / "old_kernel.py").write_text(LACKING)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])


@pytest.mark.usefixtures("kernel_without_landlock")
def test_a_layer_that_the_system_lacks_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    with RenderPool(1, 60, "old_kernel:act") as pool:
        for content in (b"exit 0", b"x", b"x"):
            with suppress(WorkerDied):
                pool(content, Accept(), {"a": Rendition()})
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert warning == (
        "Workers are confined only in part. Missing: landlock (the kernel lacks Landlock: Function not "
        "implemented). Run renditions doctor"
    )


@pytest.mark.usefixtures("kernel_without_landlock")
def test_no_picture_is_rendered_if_a_required_layer_is_missing() -> None:
    with RenderPool(1, 60, "old_kernel:act", Limits(confine="require")) as pool:
        with pytest.raises(Unconfined, match="Missing: landlock"):
            pool.start()
        with pytest.raises(Unconfined, match="Missing: landlock"):
            pool(b"x", Accept(), {"a": Rendition()})


OLD_LANDLOCK = """
from local.workers.taken_over import attack
from renditions.local.workers import landlock
call = landlock.call
def call_old_kernel(name, *arguments):
    asks_version = name == "landlock_create_ruleset" and arguments[0] is None
    return 2 if asks_version else call(name, *arguments)
landlock.call = call_old_kernel
"""


@pytest.mark.parametrize("layers", [NAMES, ("landlock",)], ids=["all layers", "landlock"])
def test_seccomp_stops_a_truncation_that_version_2_of_landlock_lets_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layers: tuple[str, ...]
) -> None:
    """This version, of Linux before 6.2, knows no right to truncate files."""
    (tmp_path / "old_landlock.py").write_text(OLD_LANDLOCK)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    with prepared_scene(os.geteuid()) as scene:
        outcomes = run_attacks(scene, "old_landlock:attack", layers)
        content = Path(scene.folder, "to-truncate").read_bytes()
    through = {name for name, outcome in outcomes["writing files"].items() if outcome == "through"}
    assert through == (set() if "seccomp" in layers else {"truncate by name"})
    assert content == (SECRET if "seccomp" in layers else b"")


FILTERED_THREAD = """
import threading
from renditions.local.workers import confine, seccomp
wait = threading.Event()
filtered = threading.Event()
def filter_one_thread():
    seccomp._ALL_THREADS = 0
    seccomp.restrict()
    filtered.set()
    wait.wait()
thread = threading.Thread(target=filter_one_thread)
thread.start()
filtered.wait()
seccomp._ALL_THREADS = 1
(state,) = (each for each in confine.confine(["seccomp"], 0) if each.state != "off")
print(state.state, state.detail == f"thread {thread.native_id} has a filter of its own")
wait.set()
"""


def test_seccomp_counts_as_missing_if_a_thread_can_not_take_the_filter_over() -> None:
    assert subprocess.check_output([sys.executable, "-c", FILTERED_THREAD], text=True) == "missing True\n"


def test_importing_the_modules_of_a_worker_starts_no_thread() -> None:
    """Landlock applies to the calling thread and to threads that it starts later.

    A thread that started earlier would stay unconfined.
    """
    code = (
        "import os, renditions.imaging.whole, renditions.local.workers.worker; "
        "print(len(os.listdir('/proc/self/task')))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "1\n"


HEADERS = {"x86_64": "x86_64-linux-gnu/asm/unistd_64.h", "aarch64": "asm-generic/unistd.h"}


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_of_system_calls_equal_those_in_the_kernel_headers(machine: str) -> None:
    header = Path("/usr/include", HEADERS[machine])
    if not header.exists():
        pytest.skip("the kernel's headers aren't installed")
    found: dict[str, int] = {}
    for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()):
        found.setdefault(name, int(number))
    if machine == "aarch64":
        found["newfstatat"] = found.pop("fstatat")
    which = list(HEADERS).index(machine)
    assert {name: numbers[which] for name, numbers in NUMBERS.items() if numbers[which] is not None} == {
        name: found[name] for name, numbers in NUMBERS.items() if numbers[which] is not None
    }
    if machine == "aarch64":
        assert [name for name, numbers in NUMBERS.items() if numbers[1] is None and name in found] == []
