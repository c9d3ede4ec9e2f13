"""Stripe's webhook signatures: HMAC-SHA256 over "<timestamp>.<raw body>", compared in constant time.

Source: Stripe, "Verify webhook signatures manually". Kept free of Stripe's library, so that a web process need not load it.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

TOLERANCE = 300  # seconds


class BadSignature(ValueError):
    """The request was not signed by Stripe with one of our secrets, or too long ago."""


def verify(*, body: bytes, header: str, secrets: Sequence[str], now: float) -> None:
    """Raises BadSignature unless one of the secrets (two while one is rolled) signed this body within the tolerance."""
    parts = [part.partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in parts if name.strip() == "t"]
    given = [value for name, _, value in parts if name.strip() == "v1"]
    if not stamps or not stamps[0].isascii() or not stamps[0].isdigit() or not given:
        raise BadSignature("The Stripe-Signature header is missing or malformed.")
    signed = stamps[0].encode() + b"." + body
    expected = [hmac.new(secret.encode(), signed, sha256).hexdigest() for secret in secrets]
    # every pair is compared, so that the time tells nothing about which one matched
    matches = [hmac.compare_digest(known.encode(), other.encode()) for known in expected for other in given]
    if not any(matches):
        raise BadSignature("The signature does not match; check that the endpoint's signing secret is configured.")
    if abs(now - int(stamps[0])) > TOLERANCE:
        raise BadSignature("The signature is older than five minutes; it may be a replay.")
