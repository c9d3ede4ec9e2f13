"""A task that does nothing: what is left is the queue."""

from core import jobs


@jobs.task()
def nothing() -> None: ...


def bare() -> None:
    """The same for django-q2 alone, without a Job row."""
