"""The table ``[catalog]`` of a pipeline file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from renditions.model.backends import CATALOGS, spell_forms
from renditions.model.fields import CatalogKey, CatalogUrl, Default, SecondsOrNone

_FORMS = f"Where: {spell_forms(CATALOGS)}. A relative FILE starts at the folder of the pipeline file."


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogPlace:
    """The catalog: where Renditions keeps a record of each picture."""

    store: Annotated[CatalogUrl, _FORMS] = "sqlite:renditions.db"
    key: Annotated[
        CatalogKey,
        "The attribute that holds the picture's name in each record; in DynamoDB, the partition key.",
    ] = "image_name"
    keep_wishes: Annotated[
        SecondsOrNone,
        Default("30 d"),
        "How long the focus and the demanded renditions of a removed picture are kept. A new picture with "
        'the same name or content gets them. "0 s" keeps none.',
    ] = 30 * 86_400.0
