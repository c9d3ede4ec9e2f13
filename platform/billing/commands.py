"""Mutating calls to Stripe, kept: key and parameters before the call, the outcome after it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from django.db import models, transaction
from django.utils import timezone

from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.models import StripeCommand
from core.outside_calls import forbid_open_transaction

# How a command's error begins where Stripe answered with a 5xx: it stores that answer and replays it for the key.
KEY_KEPT_FOR = timedelta(hours=23)  # Stripe forgets a key after 24 hours; past that the same key would do it again
_STORED_ERROR = "stored by Stripe: "


class HasId(Protocol):
    @property
    def id(self) -> str: ...


def prepare(*, operation: str, key: str, parameters: dict[str, Any], subject: models.Model, organization_id: UUID | None) -> StripeCommand:
    """The stored command for this key, made if it is new. A repetition keeps the parameters of the first, as Stripe demands."""
    command, _ = StripeCommand.objects.get_or_create(
        key=key,
        defaults={
            "operation": operation,
            "parameters": parameters,
            "subject_type": subject._meta.label_lower,
            "subject_id": subject.pk,
            "organization_id": organization_id,
        },
    )
    return command


def perform[T: HasId](command: StripeCommand, call: Callable[[dict[str, Any], str], T]) -> T:
    """Make the call with the stored parameters and key, and keep its outcome. Raises what the gateway raises.

    A command that succeeded is called again all the same: Stripe replays the answer it stored for the key.
    """
    forbid_open_transaction()
    sending(command_id=command.pk)
    try:
        answer = call(command.parameters, command.key)
    except GatewayRefused as error:
        refused(command_id=command.pk, error=f"{error.code}: {error}")
        raise
    except GatewayUnknown as error:
        lost(command_id=command.pk, error=f"{_STORED_ERROR if error.answered else ''}{error.code}: {error}")
        raise
    except GatewayBusy as error:
        lost(command_id=command.pk, error=f"{error.code}: {error}")
        raise
    answered(command_id=command.pk, stripe_object_id=answer.id)
    return answer


def has_stored_error(command: StripeCommand) -> bool:
    """Whether sending the same key again is useless: Stripe would replay a 5xx."""
    return command.error.startswith(_STORED_ERROR)


def is_spent(*, key: str, since: datetime | None) -> bool:
    """Whether sending this key again is useless (Stripe stored a 5xx for it) or unsafe (Stripe has forgotten it)."""
    command = StripeCommand.objects.filter(key=key).first()
    if command is None or since is None:
        return False
    return has_stored_error(command) or timezone.now() - since > KEY_KEPT_FOR


def _locked(command_id: UUID) -> StripeCommand:
    return StripeCommand.objects.select_for_update().get(pk=command_id)


@transaction.atomic
def sending(*, command_id: UUID) -> None:
    command = _locked(command_id)
    if command.state not in (StripeCommand.State.SUCCEEDED, StripeCommand.State.FAILED):
        command.send(at=timezone.now())
        command.save(update_fields=["state", "sent_at", "calls", "updated_at"])


@transaction.atomic
def answered(*, command_id: UUID, stripe_object_id: str) -> None:
    command = _locked(command_id)
    if command.state in (StripeCommand.State.SENT, StripeCommand.State.UNKNOWN):
        command.succeed(at=timezone.now(), stripe_object_id=stripe_object_id)
        command.save(update_fields=["state", "answered_at", "stripe_object_id", "error", "updated_at"])


@transaction.atomic
def refused(*, command_id: UUID, error: str) -> None:
    command = _locked(command_id)
    if command.state in (StripeCommand.State.SENT, StripeCommand.State.UNKNOWN):
        command.fail(at=timezone.now(), error=error)
        command.save(update_fields=["state", "answered_at", "error", "updated_at"])


@transaction.atomic
def lost(*, command_id: UUID, error: str) -> None:
    command = _locked(command_id)
    if command.state == StripeCommand.State.SENT:
        command.lose(error=error)
        command.save(update_fields=["state", "error", "updated_at"])
