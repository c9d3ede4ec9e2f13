"""The tripwire between the database and the world outside."""

from django.conf import settings
from django.db import transaction


class OutsideCallInTransaction(RuntimeError):
    """A programming error: an outside call was about to be made while row locks were held."""


def forbid_open_transaction() -> None:
    """Raise OutsideCallInTransaction inside a transaction: a slow answer from outside must never hold row locks.

    A test's own wrapping transaction does not count: Django marks its blocks, and only a block that code under test opened counts.
    """
    connection = transaction.get_connection()
    blocks = connection.atomic_blocks
    own = [block for block in blocks if not getattr(block, "_from_testcase", False)] if settings.IS_TEST else blocks
    if own:
        raise OutsideCallInTransaction("An outside call inside an open transaction.")
