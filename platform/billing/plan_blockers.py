"""What keeps an organization from a smaller plan, asked upwards: the app that knows registers one question, in AppConfig.ready."""

from collections.abc import Callable
from uuid import UUID

from billing.models import Plan

# The organization, and the plan it would have: one sentence for each thing that stands in the way, saying what to do.
type Question = Callable[[UUID, Plan], list[str]]
_questions: dict[str, Question] = {}


def register(name: str, question: Question) -> None:
    """Raises RuntimeError where the name is taken."""
    if name in _questions:
        raise RuntimeError(f"two questions about plans called {name!r}")
    _questions[name] = question


def blockers(organization_id: UUID, plan: Plan) -> list[str]:
    return [sentence for name in sorted(_questions) for sentence in _questions[name](organization_id, plan)]
