"""The settings of the gallery."""

from pathlib import Path

HERE = Path(__file__).parent
SECRET_KEY = "only for this example"  # noqa: S105 - nothing is signed with it
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["gallery"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "gallery.db"}}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MEDIA_ROOT = HERE / "media"
MEDIA_URL = "/media/"

RENDITIONS_FILE = HERE / "renditions.toml"
