"""The table of photos."""

from django.db import migrations, models

import gallery.fields
import gallery.storage


class Migration(migrations.Migration):
    """Create the table of photos."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Photo",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, verbose_name="ID", auto_created=True
                    ),
                ),
                ("title", models.CharField(max_length=100)),
                (
                    "image",
                    gallery.fields.PictureField(storage=gallery.storage.RenditionStorage, upload_to="photos"),
                ),
            ],
        )
    ]
