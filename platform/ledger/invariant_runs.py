"""The nightly proof: every registered rule is checked, and what was found is kept."""

import structlog

from core import jobs
from ledger import invariants
from ledger.models import InvariantRun


@jobs.task(queue="money", outside=True, max_attempts=3)
def run() -> None:
    """One InvariantRun with what every rule found, and a log line for each rule that is broken. Outside: one rule asks Stripe."""
    found = invariants.violations()
    InvariantRun.objects.create(rules=len(found), violations={name: sentences for name, sentences in found.items() if sentences})
    for name, sentences in found.items():
        if sentences:
            structlog.get_logger().error("invariant.violated", invariant=name, count=len(sentences), first=sentences[0])
