"""Refusals: one sentence, one code, one status."""

from core.errors import DomainError, InvalidInput, NotFound, PermissionRefused, StepUpRequired


class TestDomainError:
    def test_says_what_api_clients_may_rely_on(self) -> None:
        refusals: list[tuple[DomainError, str, int, dict[str, str]]] = [
            (DomainError("No."), "REFUSED", 409, {}),
            (NotFound("payment"), "NOT_FOUND", 404, {}),
            (PermissionRefused("payment.refund"), "PERMISSION_REFUSED", 403, {}),
            (StepUpRequired(), "SECOND_FACTOR_REQUIRED", 403, {}),
            (InvalidInput("No."), "VALIDATION_ERROR", 422, {}),
            (InvalidInput("No.", field="amount"), "VALIDATION_ERROR", 422, {"field": "amount"}),
        ]
        for refusal, code, status, details in refusals:
            assert (refusal.code, refusal.http_status, refusal.details) == (code, status, details)

    def test_does_not_tell_unknown_from_foreign(self) -> None:
        assert str(NotFound("payment")) == "This payment does not exist, or you may not see it."
