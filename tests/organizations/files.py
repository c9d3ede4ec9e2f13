"""Files that drivers post."""


class File:
    """A file that can be posted again and again."""

    def __init__(self, name: str, content_type: str, content: bytes) -> None:
        self.name, self.content_type, self.content = name, content_type, content

    def read(self) -> bytes:
        return self.content
