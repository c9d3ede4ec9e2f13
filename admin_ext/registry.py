"""Which admin class stands on which console."""
