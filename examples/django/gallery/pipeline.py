"""This process's pipeline.

It is opened when it is first needed: after a server such as gunicorn has forked its processes.
"""

import os
from functools import cache

from django.conf import settings

import renditions


def pipeline() -> renditions.OpenPipeline:
    """Return the open pipeline of this process. Threads share it."""
    return _open(os.getpid())


@cache
def _open(_process: int) -> renditions.OpenPipeline:
    return renditions.open(settings.RENDITIONS_FILE, unattended=True)
