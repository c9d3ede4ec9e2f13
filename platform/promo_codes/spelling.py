"""How a code may be written, and which spellings are the same code."""

import unicodedata

from core.errors import InvalidInput

MOST = 40
_SIGNS = "-_."


def key_of(text: str) -> str:
    """The same for every spelling of a code: capitals, width and composition of signs make no difference. Empty where there is nothing."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())


def checked(text: str) -> str:
    """The code as it is kept. Raises InvalidInput for what cannot be one."""
    code = unicodedata.normalize("NFKC", text.strip()) if isinstance(text, str) else ""
    if not 2 <= len(code) <= MOST or not code[0].isalnum() or not all(sign.isalnum() or sign in _SIGNS for sign in code):
        raise InvalidInput(
            f"Write the code with 2 to {MOST} letters and digits, with - _ . between them and no spaces, such as SPRING-2027.", field="code"
        )
    return code
