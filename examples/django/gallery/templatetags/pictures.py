"""The template tag for pictures."""

from django import template

register = template.Library()


@register.inclusion_tag("gallery/picture.html")
def picture(file, look="photo", sizes=None, alt=None):
    """Show a picture: ``{% picture photo.image look="square" alt=photo.title %}``."""
    entry = file.describe(sizes) or {}
    found = entry.get("looks", {}).get(look)
    return {"picture": entry, "look": found, "alt": entry.get("alt", "") if alt is None else alt}
