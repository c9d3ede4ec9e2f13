"""Multipart bodies, which only uploads use, told as a form: a file is its name, size, type and digest; its bytes are not kept."""

import hashlib
import json
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import urlencode

MULTIPART = "multipart/form-data"
_TYPES = ((b"%PDF-", "pdf"), (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"))


def as_form(body: bytes, content_type: str) -> str:
    """The body as Stripe's form encoding; a file's value is JSON with name, size, type ("pdf", "png", "jpg" or "") and sha256."""
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    pairs = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        held = content if isinstance(content, bytes) else b""
        filename = part.get_filename()
        pairs.append((str(name), held.decode("utf-8", "replace") if filename is None else json.dumps(_file(filename, held))))
    return urlencode(pairs)


def _file(name: str, held: bytes) -> dict[str, object]:
    kind = next((found for start, found in _TYPES if held.startswith(start)), "")
    return {"name": name, "size": len(held), "type": kind, "sha256": hashlib.sha256(held).hexdigest()}
