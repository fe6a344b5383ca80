"""Write the tables of fields into ``docs/record.md`` and ``docs/manifest.md``.

They come from the JSON Schemas. Run ``python docs/json_tables.py`` after a change of ``model/shapes.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from renditions.model.shapes import describe_manifest, describe_record

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- fields: begin -->\n", "<!-- fields: end -->"
SCHEMAS = {"record.md": describe_record, "manifest.md": describe_manifest}


def describe(schema: dict[str, Any]) -> str:
    """Return the table of a schema's fields, as Markdown."""
    rows = (f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in _walk(schema, ""))
    return "\n".join(["| field | type | what it is |", "| --- | --- | --- |", *rows])


def _walk(schema: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    needed = schema.get("required", ())
    for name, field in schema["properties"].items():
        path = f"{prefix}{name}"
        meaning = field.get("description", "").replace("<", "&lt;")
        kind = field.get("type") or "text"
        kind = {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)
        yield path, kind if name in needed else f"{kind}, or missing", meaning
        if "properties" in field:
            yield from _walk(field, f"{path}.")
        items, values = field.get("items", {}), field.get("additionalProperties", {})
        if "properties" in items:
            yield from _walk(items, f"{path}[].")
        if "properties" in values:
            yield from _walk(values, f"{path}.NAME.")


def main() -> None:
    """Replace the tables in both documents."""
    for name, make in SCHEMAS.items():
        document = FOLDER / name
        before, _, rest = document.read_text("utf-8").partition(BEGIN)
        table = f"{before}{BEGIN}\n{describe(make())}\n\n{END}{rest.partition(END)[2]}"
        document.write_text(table, "utf-8")


if __name__ == "__main__":
    main()
