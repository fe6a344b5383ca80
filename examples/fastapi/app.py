"""A small picture server with FastAPI: ``fastapi dev app.py``."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, Response, UploadFile
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

import renditions

HERE = Path(__file__).parent
THUMBNAIL = {"thumbnail": {"width": 200, "height": 200, "fit": "cover", "format": "webp"}}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the pipeline when the server starts, and close it when it ends."""
    with renditions.open(HERE / "renditions.toml", unattended=True) as pipeline:
        app.state.pipeline = pipeline
        yield


app = FastAPI(lifespan=lifespan)
(HERE / "images").mkdir(exist_ok=True)
(HERE / "originals").mkdir(exist_ok=True)
app.mount("/images", StaticFiles(directory=HERE / "images"))


@app.exception_handler(renditions.errors.RenditionsError)
def explain(_: Request, error: renditions.errors.RenditionsError) -> JSONResponse:
    """Answer with the error's own status, code and text."""
    return JSONResponse({"code": error.code, "detail": str(error)}, error.http_status)


@app.post("/thumbnail")
def thumbnail(file: UploadFile) -> Response:
    """Return a thumbnail of an upload. Nothing is saved.

    FastAPI runs functions without ``async`` in threads, so other requests don't wait.
    """
    made = renditions.render(file.file.read(), THUMBNAIL)["thumbnail"]
    return Response(made.content, media_type="image/webp")


@app.put("/pictures/{name}", status_code=202)
def save(name: str, file: UploadFile, tasks: BackgroundTasks) -> dict[str, str]:
    """Save a picture. Its renditions are made after the answer."""
    if not re.fullmatch(r"[\w-]+\.(jpe?g|png|webp)", name):
        raise HTTPException(422, "a name has letters, digits, - and a suffix such as .jpg")
    part = HERE / "originals" / f".{name}.part"
    part.write_bytes(file.file.read())
    part.rename(HERE / "originals" / name)
    tasks.add_task(process, name)
    return {"name": name}


def process(name: str) -> None:
    """Make a picture's renditions. If the outcome says when to try again, do so."""
    pipeline: renditions.OpenPipeline = app.state.pipeline
    while (outcome := pipeline.process(name)).again_after:
        time.sleep(outcome.again_after.total_seconds())


@app.get("/pictures/{name}")
def describe(name: str) -> dict[str, Any]:
    """Return what a page needs to show a picture."""
    pipeline: renditions.OpenPipeline = app.state.pipeline
    record = pipeline.record(name)
    if record is None:
        raise HTTPException(404, f"there is no picture {name!r}")
    if record.status != "done":
        return {"name": name, "status": record.status, "reason": record.reason}
    return {"status": record.status, **next(pipeline.manifest([name]))}
