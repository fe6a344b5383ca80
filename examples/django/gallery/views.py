"""The page of the gallery."""

from django import forms
from django.shortcuts import redirect, render

from gallery.models import Photo


class PhotoForm(forms.ModelForm):
    """The form for a new photo."""

    class Meta:
        """The fields of the form."""

        model = Photo
        fields = ["title", "image"]


def index(request):
    """Show all photos, and take a new one."""
    form = PhotoForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("/")
    return render(request, "gallery/index.html", {"form": form, "photos": Photo.objects.order_by("-id")})
