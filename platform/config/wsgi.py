"""The WSGI application that granian serves."""

import os
import sys
from pathlib import Path

from django.core.wsgi import get_wsgi_application

_SOURCE_ROOT = str(Path(__file__).resolve().parents[1])
if _SOURCE_ROOT not in sys.path:
    sys.path.append(_SOURCE_ROOT)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
