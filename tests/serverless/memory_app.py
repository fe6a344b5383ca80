"""A function with stores and a catalog in memory.

The tests start it in AWS's own runtime client.
"""

from __future__ import annotations

from renditions.model.places import S3Place
from renditions.model.recipe import Rendition
from renditions.serverless.function import Function
from renditions.serverless.telemetry import log_to_stdout
from world import World, make_pipeline

log_to_stdout()
world = World(make_pipeline(thumb=Rendition(width=200)))
world.upload("first.jpg", b"123")
world.upload("bad.jpg", b"bad")
function = Function(
    S3Place("amzn-s3-demo-bucket", ""),
    world.processor(output=world.break_writes(1)).process,
    world.differences,
    lambda: world.guard,
    lambda held: None,
    threads=2,
)
lambda_handler = function.handle
