"""Pictures to send."""

import io
from typing import Any

from PIL import Image


def picture(size: tuple[int, int] = (64, 64), kind: str = "PNG", **saved: Any) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, "teal").save(written, kind, **saved)
    return written.getvalue()
