"""How many codes somebody may try: thirty a minute for each address and each account, so that none is found by guessing.

Counted by the surfaces before the operation and outside its transaction: a refusal takes back what it wrote.
"""

import math
import time
from datetime import UTC, datetime

from django.conf import settings
from django.db import connection

from audit.actor import Actor
from promo_codes.refusals import TooManyTries

MOST, SECONDS = 30, 60
_COUNT = """
    INSERT INTO promo_codes_trywindow AS w (id, hits, ends_at) VALUES (%s, 1, %s)
    ON CONFLICT (id) DO UPDATE SET hits = w.hits + 1 RETURNING hits
"""


def count(*, by: Actor) -> None:
    """Count one try. Raises TooManyTries where it is one too many."""
    window = int(time.time()) // SECONDS
    end = datetime.fromtimestamp((window + 1) * SECONDS, UTC)
    who = [f"ip:{by.ip}", *([f"user:{by.user_id}"] if by.user_id else [])]
    with connection.cursor() as cursor:
        hits = []
        for one in who:
            cursor.execute(_COUNT, [f"{one}:{window}", end])
            hits.append(cursor.fetchone()[0])
    if max(hits) > math.ceil(MOST * settings.API_THROTTLE_SCALE):
        raise TooManyTries
