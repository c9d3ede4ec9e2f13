"""Reference pages written from the code: what each says is read from where it is decided, so they cannot disagree."""
