"""A field for pictures with renditions."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.fields.files import FieldFile

import renditions
from gallery.pipeline import pipeline
from gallery.storage import RenditionStorage


def validate_picture(file) -> None:
    """Refuse an upload that Renditions would reject, with its reason."""
    file.seek(0)
    content = file.read()
    file.seek(0)
    try:
        renditions.render(content, pipeline().pipeline, renditions=["square"])
    except renditions.errors.Rejected as error:
        raise ValidationError(str(error)) from error


class PictureFile(FieldFile):
    """The file of one picture."""

    def describe(self, sizes=None):
        """Return what a page needs to show the picture; None if it has no renditions yet."""
        if self.name and pipeline().record(self.name):
            return next(pipeline().manifest([self.name], sizes=sizes), None)
        return None


class PictureField(models.FileField):
    """A picture in the pipeline's source folder."""

    attr_class = PictureFile
    default_validators = [validate_picture]

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("storage", RenditionStorage)
        super().__init__(*args, **kwargs)
