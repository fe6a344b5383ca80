"""The photos of the gallery."""

from django.db import models
from django.db.models.signals import post_delete
from django.dispatch import receiver

from gallery.fields import PictureField


class Photo(models.Model):
    """A photo with its title."""

    title = models.CharField(max_length=100)
    image = PictureField(upload_to="photos")


@receiver(post_delete, sender=Photo)
def delete_file(instance, **_):
    """Delete the original with its photo. Django leaves files by default."""
    instance.image.delete(save=False)
