"""The input pictures: photos from Debian's packages, and pictures made from them.

There are four photos. This repository doesn't contain them, so the benchmark downloads them into its cache.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pillow_heif
import pyvips
from PIL import Image, ImageOps

from benchmarks.environments import CACHE, UnavailableError

_PACKAGES = {
    "lomiri-wallpapers-16.04": (
        "Dragonfly_by_Bolly",
        "seeding_by_Clements_Engelhardt",
        "sunset_by_Aitzol_Berasategi",
    ),
    "lomiri-wallpapers-20.04": ("Kleiber_by_Lukas_Baubkus",),
}
_INSIDE = "usr/share/backgrounds"
PHOTOGRAPHS = ("dragonfly", "kleiber", "sunset", "seeding")

_SIZE_12 = (4000, 3000)
_SIZE_2 = (1632, 1224)
_TILE_24 = (2832, 2124)
_TILE_100 = (3848, 2886)
_JPEG = {"quality": 92, "subsampling": "4:2:0"}


def fetch() -> None:
    """Download the photos into the cache.

    Raises:
        UnavailableError: ``apt-get`` or ``dpkg-deb`` is missing or fails.

    """
    folder = CACHE / "photographs"
    for package, names in _PACKAGES.items():
        wanted = {name: folder / f"{name.partition('_')[0].lower()}.jpg" for name in names}
        if all(path.exists() for path in wanted.values()):
            continue
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            raise UnavailableError(
                "can't download the photos from Debian: this system has no apt-get or dpkg-deb"
            )
        print(f"fetching {package}", flush=True)
        work = CACHE / "packages"
        work.mkdir(parents=True, exist_ok=True)
        try:
            # Don't warn that apt's sandbox user can't write here.
            command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package]
            subprocess.run(command, cwd=work, check=True)
            archive = next(work.glob(f"{package}_*.deb"))
            subprocess.run(["dpkg-deb", "-x", str(archive), str(work)], check=True)
        except subprocess.CalledProcessError as error:
            raise UnavailableError(
                f"can't download and unpack {package}. Run apt-get update and try again"
            ) from error
        folder.mkdir(exist_ok=True)
        for name, path in wanted.items():
            shutil.copy(work / _INSIDE / f"{name}.jpg", path)
        shutil.rmtree(work)


def derive(kind: str, photograph: str) -> Path:
    """Return the file of this kind, made from the photo; call :func:`fetch` first."""
    suffix, make = _KINDS[kind]
    path = CACHE / "inputs" / f"{kind}-{photograph}.{suffix}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(CACHE / "photographs" / f"{photograph}.jpg") as image:
            part = path.with_suffix(".part")
            make(image.convert("RGB"), part)
            part.rename(path)
    return path


def _fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def _mosaic(image: Image.Image, size: tuple[int, int], count: int) -> Image.Image:
    """Return a larger picture of copies of this one; every other copy is mirrored.

    In this way, all details of the larger picture are real.
    """
    tile = _fit(image, size)
    mirrored = ImageOps.mirror(tile)
    whole = Image.new("RGB", (size[0] * count, size[1] * count))
    for at in range(count * count):
        row, column = divmod(at, count)
        whole.paste(mirrored if at % 2 else tile, (column * size[0], row * size[1]))
    return whole


def _save_jpeg(
    size: tuple[int, int], count: int = 1, **options: object
) -> Callable[[Image.Image, Path], None]:
    def make(image: Image.Image, path: Path) -> None:
        _mosaic(image, size, count).save(path, "JPEG", **_JPEG, **options)

    return make


def _save(output_format: str, **options: object) -> Callable[[Image.Image, Path], None]:
    def make(image: Image.Image, path: Path) -> None:
        _fit(image, _SIZE_12).save(path, output_format, **options)

    return make


def _save_profiled(profile: str, orientation: int = 1) -> Callable[[Image.Image, Path], None]:
    """Return a function that saves a JPEG in another colour space.

    The JPEG has the colour space's profile, and this orientation.
    """

    def make(image: Image.Image, path: Path) -> None:
        pixels = _fit(image, _SIZE_12)
        if orientation == 6:
            pixels = pixels.transpose(Image.Transpose.ROTATE_90)
        converted = pyvips.Image.new_from_array(pixels).icc_transform(profile, input_profile="srgb")
        converted.set_type(pyvips.GValue.gint_type, "orientation", orientation)
        path.write_bytes(converted.jpegsave_buffer(Q=92, subsample_mode="on"))

    return make


def _save_alpha(image: Image.Image, path: Path) -> None:
    """Save the picture as a PNG that is transparent outside a soft ellipse."""
    picture = _fit(image, _SIZE_12)
    edge = Image.radial_gradient("L").resize(picture.size, Image.Resampling.BICUBIC)
    picture.putalpha(edge.point(lambda distance: max(0, min(255, (220 - distance) * 8))))
    picture.save(path, "PNG", compress_level=6)


pillow_heif.register_heif_opener()

_KINDS: dict[str, tuple[str, Callable[[Image.Image, Path], None]]] = {
    "jpeg-12": ("jpg", _save_jpeg(_SIZE_12)),
    "jpeg-2": ("jpg", _save_jpeg(_SIZE_2)),
    "jpeg-24": ("jpg", _save_jpeg(_TILE_24, 2)),
    "jpeg-100": ("jpg", _save_jpeg(_TILE_100, 3)),
    "progressive": ("jpg", _save_jpeg(_SIZE_12, progressive=True)),
    "wide-gamut": ("jpg", _save_profiled("p3", 6)),
    "cmyk": ("jpg", _save_profiled("cmyk")),
    "png": ("png", _save("PNG", compress_level=6)),
    "png-alpha": ("png", _save_alpha),
    "webp": ("webp", _save("WEBP", quality=90)),
    "heic": ("heic", _save("HEIF", quality=80)),
    "avif": ("avif", _save("AVIF", quality=75, speed=8)),
}
