"""The renderer of ``taken_over`` as an ordinary user.

The worker imports it before it confines itself.
"""

import os

from local.workers.attacks import ORDINARY_USER
from local.workers.taken_over import attack

__all__ = ["attack"]

os.setgroups([])
os.setgid(ORDINARY_USER)
os.setuid(ORDINARY_USER)
