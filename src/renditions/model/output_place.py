"""The table ``[output]`` of a pipeline file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from renditions.model.fields import BaseUrl, Origin, Range, Seconds, StoreUrl
from renditions.model.revisions import FIRST_ENGINE, newest_engine
from renditions.model.source import STORE_FORMS

Verify = Literal["always", "schedule", "never"]
NOT_OF_THE_OUTPUTS = ("store", "base_url", "on_demand_url", "cors_origins")
"""The fields without effect on a generation: they change neither an output nor its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlace:
    """The output store: where Renditions writes the renditions, and how."""

    store: Annotated[StoreUrl, STORE_FORMS]
    base_url: Annotated[
        BaseUrl | None, "The URL under which visitors reach the output store, for the manifest and the page."
    ] = None
    on_demand_url: Annotated[
        BaseUrl | None,
        "The URL of a server that makes renditions with on_demand, for the manifest and the page.",
    ] = None
    cache_control: Annotated[str | None, "The Cache-Control header that outputs are served with."] = None
    cors_origins: Annotated[
        tuple[Origin, ...],
        "The origins of pages whose scripts may read outputs that are public or have signed URLs (CORS), "
        'such as "https://shop.example". "*": all origins.',
    ] = ()
    overwrite: Annotated[
        bool, "Whether an output may replace a file that Renditions didn't write. If not, the file stays."
    ] = False
    verify: Annotated[
        Verify,
        "When unattended runs check that outputs exist and are unchanged. schedule: at each full comparison, "
        "if the outputs are in a folder. always: also in a bucket, and at each tick of the schedule on AWS.",
    ] = "schedule"
    keep_replaced: Annotated[
        Seconds | None,
        "How long to keep outputs that are no longer declared, or that have a former key or a former store, "
        'such as "7 d". Without it, outputs in a former store stay, and the others are deleted at once.',
    ] = None
    engine: Annotated[
        Annotated[int, Range(FIRST_ENGINE, newest_engine())] | None,
        "The last engine revision that counts: later ones don't cause outputs to be made again. Without it, "
        "all revisions count.",
    ] = None

    @property
    def headers(self) -> str:
        """A text that identifies the outputs' declared headers; empty if there are none."""
        return self.cache_control or ""
