"""Tests of the gallery: ``python manage.py test``."""

import io

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import TestCase
from PIL import Image

from gallery.models import Photo
from gallery.pipeline import pipeline


def upload(width=700, height=500, name="boat.jpg"):
    """Return an upload of a plain picture."""
    target = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(target, "JPEG")
    return SimpleUploadedFile(name, target.getvalue())


class GalleryTest(TestCase):
    """What a visitor can do."""

    def test_an_upload_is_shown_with_its_renditions(self):
        """The page has a <picture> for each look."""
        answer = self.client.post("/", {"title": "A boat", "image": upload()}, follow=True)
        self.assertContains(answer, '<source type="image/webp" srcset="/media/renditions/photos/boat')
        self.assertContains(answer, 'alt="A boat"')
        self.assertContains(answer, 'width="160" height="160"')
        self.assertContains(answer, "url(data:image/png;base64,")
        photo = Photo.objects.get()
        url = photo.image.describe()["renditions"]["square"]["url"]
        assert (settings.MEDIA_ROOT / url.removeprefix("/media/")).is_file()
        photo.delete()

    def test_the_form_gives_the_reason_for_a_rejected_upload(self):
        """The form has the reason, and nothing is saved."""
        answer = self.client.post("/", {"title": "Small", "image": upload(50, 50)})
        self.assertContains(answer, "min_width requires at least 100")
        answer = self.client.post("/", {"title": "Text", "image": SimpleUploadedFile("a.jpg", b"text")})
        self.assertContains(answer, "not a picture")
        assert not Photo.objects.exists()

    def test_deleting_a_photo_deletes_its_renditions_and_its_record(self):
        """The original, the renditions and the record are gone."""
        self.client.post("/", {"title": "A boat", "image": upload()})
        photo = Photo.objects.get()
        name = photo.image.name
        folder = settings.MEDIA_ROOT / "renditions" / name
        assert any(folder.iterdir())
        photo.delete()
        assert not folder.exists() or not any(folder.iterdir())
        assert pipeline().record(name) is None
