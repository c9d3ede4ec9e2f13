"""Stripe's error envelope: https://docs.stripe.com/api/errors."""

from typing import Any

type Json = dict[str, Any]


class StripeError(Exception):
    """An answer that is an error; `stored` says whether an idempotency key remembers it (parameter errors are not remembered)."""

    def __init__(self, status: int, kind: str, message: str, *, stored: bool = True, **fields: object) -> None:
        self.status, self.stored = status, stored
        self.body: Json = {"error": {"message": message, "type": kind, **{k: v for k, v in fields.items() if v is not None}}}
        super().__init__(message)


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400, stored: bool = True) -> StripeError:
    doc_url = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}" if code else None
    return StripeError(status, "invalid_request_error", message, param=param, code=code, doc_url=doc_url, stored=stored)


def missing_resource(noun: str, object_id: str, *, param: str = "id", status: int = 404) -> StripeError:
    """Stripe answers 404 for an unknown id in the path, 400 for one in the parameters."""
    return invalid(f"No such {noun}: '{object_id}'", param=param, code="resource_missing", status=status)


def parameter_missing(param: str) -> StripeError:
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing", stored=False)


def parameter_unknown(param: str) -> StripeError:
    return invalid(f"Received unknown parameter: {param}", param=param, code="parameter_unknown", stored=False)


def unknown_route(method: str, path: str) -> StripeError:
    message = (
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
    )
    return StripeError(404, "invalid_request_error", message, stored=False)


def unauthorized(message: str) -> StripeError:
    return StripeError(401, "invalid_request_error", message, stored=False)


def card_error(
    message: str, *, code: str, decline_code: str | None, payment_intent: Json, charge: str | None, payment_method: Json
) -> StripeError:
    return StripeError(
        402,
        "card_error",
        message,
        code=code,
        decline_code=decline_code,
        charge=charge,
        payment_intent=payment_intent,
        payment_method=payment_method,
        doc_url=f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
    )


def idempotency_mismatch(key: str) -> StripeError:
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return StripeError(400, "idempotency_error", message, stored=False)


def idempotency_in_use(key: str) -> StripeError:
    message = f"There is currently another in-progress request using this Idempotent Key: '{key}'. Please try again later."
    return StripeError(409, "idempotency_error", message, code="idempotency_key_in_use", stored=False)
