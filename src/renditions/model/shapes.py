"""The JSON Schemas of a record and of a manifest.

They have a sentence about each field. ``docs/record.md`` and ``docs/manifest.md`` have the same sentences,
and ``docs/json_tables.py`` writes them.
"""

from __future__ import annotations

from typing import Any

from renditions.model.record import STATUSES
from renditions.model.warning import WARNINGS

Schema = dict[str, Any]

SCHEMA_URL = "https://json-schema.org/draft/2020-12/schema"


def text(description: str, **more: Any) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", "description": description, **more}


def time(description: str) -> Schema:
    """Return the schema of a time; the description is given without its full stop."""
    return text(f"{description}, in UTC (ISO 8601).", format="date-time")


def count(description: str) -> Schema:
    """Return the schema of a whole number."""
    return {"type": "integer", "minimum": 0, "description": description}


def number(description: str) -> Schema:
    """Return the schema of a number."""
    return {"type": "number", "description": description}


def flag(description: str) -> Schema:
    """Return the schema of a truth value."""
    return {"type": "boolean", "description": description}


def listing(items: Schema, description: str) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items, "description": description}


def mapping(values: Schema, description: str) -> Schema:
    """Return the schema of an object whose keys are names."""
    return {"type": "object", "additionalProperties": values, "description": description}


def table(properties: Schema, required: tuple[str, ...], description: str = "") -> Schema:
    """Return the schema of an object with known fields.

    A newer version may add fields.
    """
    described = {"description": description} if description else {}
    return {"type": "object", "properties": properties, "required": list(required), **described}


_CODE = "docs/errors.md lists the codes"
_PERCENT = {"minimum": 0, "maximum": 100}
_FOCUS = {
    "x": number("The distance from the left edge, in percent.") | _PERCENT,
    "y": number("The distance from the top edge, in percent.") | _PERCENT,
}

_WARNING = {
    "code": text("The code.", examples=list(WARNINGS)),
    "text": text("What was left out or assumed, for people."),
    "renditions": listing(
        text("The rendition's name."), "The renditions that it is about. Missing if it is about the picture."
    ),
}


def describe_record(key: str = "image_name") -> Schema:
    """Return the schema of a record's JSON form.

    ``key`` is the attribute with the name.
    """
    properties = {
        key: text("The picture's key in the source. [catalog] key names this field."),
        "status": {
            "enum": list(STATUSES),
            "description": "done: its renditions exist; rejected: a rendition can't be made from it; failed: "
            "another error occurred; processing: a worker has begun.",
        },
        "timestamp": time("When the status was decided, or when processing began"),
        "reason": text("Why the picture was rejected, or why processing or removing it failed."),
        "code": text(f"The code of that reason; {_CODE}."),
        **_ORIGINAL,
        "analysis": table(
            _ANALYSIS, (), "The facts that [analyze] declares, as far as the picture has them."
        ),
        "focus": table(_FOCUS, ("x", "y"), 'The point that renditions with gravity = "focus" keep.'),
        "demanded": listing(text("A rendition."), "The renditions with on_demand that clients requested."),
        "processed_width": count("The width of the first output, in pixels."),
        "processed_height": count("The height of the first output, in pixels."),
        "processed_size_bytes": count("The size of the first output, in bytes."),
        "renditions": mapping(table(_OUTPUT, _OUTPUT_NEEDED), "The outputs, by the rendition's name."),
        "stand_ins": mapping(
            text("The rendition whose file it has."),
            "Widths that the picture is too small for: each uses the file of a narrower width.",
        ),
        "errors": mapping(
            text("The reason."), "Why renditions can't be made, if the picture isn't rejected as a whole."
        ),
        "error_codes": mapping(text(f"The code; {_CODE}."), "The codes of these reasons."),
        "warnings": listing(
            table(_WARNING, ("code", "text")),
            f"What was left out of renditions, or assumed about the picture; {_CODE}.",
        ),
        "history": listing(
            table(
                {
                    "timestamp": time("When it happened"),
                    "status": {"enum": list(STATUSES), "description": "processing: processing began."},
                    "reason": text("Why processing began, or why the picture was rejected or failed."),
                },
                ("timestamp", "status", "reason"),
            ),
            "The newest 12 events, oldest first.",
        ),
        "source_missing_since": time(
            'When Renditions first missed the picture in the source, with [source] on_delete = "keep"'
        ),
        **_INTERNAL,
    }
    return table(properties, (key, "status", "timestamp", "attempts", "revision"))


_ORIGINAL = {
    "original_format": text("The picture's format by its content, such as jpeg."),
    "original_width": count("The picture's width as displayed, in pixels."),
    "original_height": count("The picture's height as displayed, in pixels."),
    "original_frames": count("How many frames or pages the file has."),
    "original_size_bytes": count("The size of the picture's file, in bytes."),
    "etag": text("The source store's ETag of the file for which the status was decided."),
    "sha256": text("The SHA-256 of that file, in hexadecimal."),
}
_ANALYSIS = {
    "exif": table(
        {
            "make": text("The camera's maker."),
            "model": text("The camera's model."),
            "lens": text("The lens."),
            "taken": text("When the picture was taken, by the camera's clock (ISO 8601)."),
            "exposure_seconds": number("The exposure time, in seconds."),
            "f_number": number("The f-number."),
            "iso": count("The sensitivity."),
            "focal_length_mm": number("The focal length, in millimetres."),
        },
        (),
        "The camera's data.",
    ),
    "position": table(
        {
            "latitude": number("In degrees; north is positive."),
            "longitude": number("In degrees; east is positive."),
            "altitude_m": number("In metres above sea level."),
        },
        ("latitude", "longitude"),
        "Where the picture was taken, in WGS 84.",
    ),
    "colours": listing(
        table(
            {
                "colour": text("The colour as #rrggbb."),
                "share": number("Its share of the pixels that are at least half opaque, from 0 to 1."),
            },
            ("colour", "share"),
        ),
        "The dominant colours, the largest share first.",
    ),
    "thumbhash": text("A ThumbHash, in Base64."),
    "blurhash": text("A BlurHash."),
    "perceptual_hash": text("A perceptual hash: 64 bits, in hexadecimal."),
    "sharpness": number("The variance of the Laplacian."),
    "transparency": flag("Whether any pixel is transparent."),
    "alt_text": text("The text for people who can't see the picture."),
}
_OUTPUT = {
    "key": text("The key in the output store."),
    "etag": text("The output store's ETag."),
    "source_etag": text("The ETag of the file from which the output was made."),
    "fingerprint": text("A hash over the recipe and the engine's revisions."),
    "format": text("The actual format, such as jpeg."),
    "size_bytes": count("The size, in bytes."),
    "width": count("The width, in pixels."),
    "height": count("The height, in pixels."),
    "seconds": number("How long it took to make the file from the decoded picture, in seconds."),
    "sha256": text("The SHA-256, in hexadecimal."),
    "is_restored": flag("Whether the output was made again because it was missing or replaced."),
    "focus": table(
        _FOCUS, ("x", "y"), "The picture's focus when the output was made, if the output uses it."
    ),
}
_OUTPUT_NEEDED = ("key", "etag", "source_etag", "fingerprint", "format", "size_bytes")
_INTERNAL = {
    "goal": text("Internal: a fingerprint over everything that must be made."),
    "rules": text("Internal: the fingerprint of the rules that the picture passed."),
    "attempts": count(
        "How many attempts for this goal have failed in a row. 3 after an error that a retry can't mend."
    ),
    "setbacks": count(
        "How often in a row processing failed for another reason, such as a full disk or a lost connection. "
        "These failures don't count as attempts."
    ),
    "blocked_by": text("The other picture that has an output key which this picture needs."),
    "pending_keys": listing(text("A key."), "Internal: keys that may hold an object that isn't listed."),
    "owed": listing(
        table({"event": text("The event."), "target": text("A hash of the target.")}, ("event", "target")),
        "Internal: the notices that must still be sent.",
    ),
    "lease": table(
        {"owner": text("The process that has the lease."), "until": time("When the lease ends")},
        ("owner", "until"),
        "Which process is processing the picture.",
    ),
    "place": text(
        "The output store that holds the outputs, as the pipeline file or the environment spells it."
    ),
    "headers": text("Internal: the headers with which the outputs were written."),
    "generation": count("Internal: the version of the pipeline file that decided the status."),
    "retired": listing(
        table(
            {
                "key": text("The key."),
                "etag": text("The output store's ETag."),
                "delete_after": time("When the object is deleted"),
                "place": text("The former output store that holds it."),
            },
            ("key", "etag"),
        ),
        "Former outputs that are kept for a while.",
    ),
    "refused_keys": listing(text("A key."), "Output keys that hold a file which Renditions didn't write."),
    "removable_until": time("When a person's permission to remove this missing picture ends"),
    "revision": count("Internal: the number of the record's last write."),
}


_MEDIA_TYPE = text("The media type, such as image/avif.")


def describe_manifest() -> Schema:
    """Return the schema of the document that ``renditions manifest`` prints."""
    url = (
        "The URL, below [output] base_url. Without base_url it is relative to the output store. A rendition "
        "with on_demand that has no file yet has its URL below [output] on_demand_url."
    )
    output = table(
        {
            "url": text(url),
            "format": text("The format, such as jpeg."),
            "type": _MEDIA_TYPE,
            "width": count("The width, in pixels."),
            "height": count("The height, in pixels."),
            "size_bytes": count("The size, in bytes. Missing for a rendition that has no file yet."),
        },
        ("url", "format", "type"),
    )
    picture = table(
        {
            "name": text("The picture's key in the source."),
            "width": count("The original's width as displayed, in pixels."),
            "height": count("The original's height as displayed, in pixels."),
            "alt": text(
                "The text for people who can't see the picture: from the file NAME.alt.txt beside it, or "
                "else from the record. An empty text means that the picture is only decoration."
            ),
            "colour": text("The dominant colour, or else the placeholder's average, as #rrggbb."),
            "placeholder": text("A data URI of a blurred preview. Missing for transparent pictures."),
            "looks": mapping(
                _describe_look(),
                "Files that look alike and may stand in one srcset, by family or rendition.",
            ),
            "renditions": mapping(
                output, "The renditions that have a URL, including those that browsers don't show."
            ),
        },
        ("name", "renditions"),
    )
    properties = {
        "version": count("The version of this form, 1. New fields don't raise it."),
        "pictures": listing(
            picture,
            "The pictures with renditions, in the order of their names. Named pictures come first, then "
            "those of each prefix.",
        ),
    }
    return table(properties, ("version", "pictures"))


def _describe_look() -> Schema:
    srcset = "The URLs with their widths, or a single URL without a width."
    sizes = (
        "How wide the picture is shown, if srcset has widths. By default at most as wide as the widest file."
    )
    source = table(
        {"type": _MEDIA_TYPE, "srcset": text(srcset), "sizes": text(sizes)},
        ("type", "srcset"),
    )
    image = table(
        {
            "src": text("The URL of the widest file in this format."),
            "srcset": text("The URLs with their widths. Missing if this format has only one file."),
            "sizes": text(sizes),
            "type": _MEDIA_TYPE,
            "width": count("The width of the widest file, in pixels."),
            "height": count("The height of the widest file, in pixels."),
        },
        ("src", "type", "width", "height"),
        "The <img> in the last format, for browsers that show none of the sources.",
    )
    return table(
        {
            "sources": listing(
                source, "A <source> for each other format. A browser takes the first that it can show."
            ),
            "img": image,
        },
        ("sources", "img"),
    )
