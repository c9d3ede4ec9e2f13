"""Stripe's word, read ahead: a gateway that answers what was read before, and stops whoever asks for more."""

from collections.abc import Callable, Iterator
from typing import Any, cast

from billing.gateway.base import GatewayRefused, PaymentGateway

type Question = tuple[str, tuple[Any, ...], tuple[tuple[str, Any], ...]]


class Unread(BaseException):
    """Something was asked that has not been read yet; whoever catches it reads, and begins anew. No error, lest anybody take it for one."""

    def __init__(self, question: Question) -> None:
        self.question = question
        super().__init__(question[0])


class WouldCallStripe(RuntimeError):
    """Something was about to be changed at Stripe, which a dry run never does."""

    def __init__(self, method: str) -> None:
        super().__init__(f"It would have Stripe do something ({method.replace('_', ' ')}), which cannot be tried without doing it.")


class Readings:
    """`gateway` answers from what was read; each call to `read` asks Stripe one question, with no transaction open."""

    def __init__(self) -> None:
        self._answers: dict[Question, Any] = {}

    @property
    def gateway(self) -> PaymentGateway:
        return cast(PaymentGateway, _Recorded(self._answers))

    def read(self, question: Question, stripe: PaymentGateway) -> None:
        """Raises GatewayBusy and GatewayUnknown; a definite no is an answer too."""
        method, given, named = question
        try:
            answer = getattr(stripe, method)(*given, **dict(named))
            self._answers[question] = list(answer) if isinstance(answer, Iterator) else answer
        except GatewayRefused as refusal:
            self._answers[question] = refusal


class _Recorded:
    def __init__(self, answers: dict[Question, Any]) -> None:
        self._answers = answers

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def ask(*given: Any, **named: Any) -> Any:
            if "key" in named:  # what changes something at Stripe has an idempotency key, what only reads has none
                raise WouldCallStripe(method)
            question: Question = (method, given, tuple(sorted(named.items())))
            if question not in self._answers:
                raise Unread(question)
            answer = self._answers[question]
            if isinstance(answer, GatewayRefused):
                raise answer
            return answer

        return ask
