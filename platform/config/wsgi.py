"""The WSGI application that granian serves."""

import os
import sys
from pathlib import Path

from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

_SOURCE_ROOT = str(Path(__file__).resolve().parents[1])
if _SOURCE_ROOT not in sys.path:
    sys.path.append(_SOURCE_ROOT)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
# Commands run every check by themselves; a web server would start without, so it asks for those that production must pass.
_unsafe = run_checks(tags=["boot"])
if _unsafe:
    raise ImproperlyConfigured(" ".join(str(message.msg) for message in _unsafe))
