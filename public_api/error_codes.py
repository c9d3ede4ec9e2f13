"""Every code that an error of this API may carry: a promise to clients, written out in docs/reference/error-codes.md."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Codes of the surface itself; codes of refusals by the domain stand in DOMAIN."""

    BROKEN_JSON = "BROKEN_JSON"
    BAD_REQUEST = "BAD_REQUEST"
    IDEMPOTENCY_KEY_REQUIRED = "IDEMPOTENCY_KEY_REQUIRED"
    AUTHENTICATION_REQUIRED = "AUTHENTICATION_REQUIRED"
    SIGN_IN_REFUSED = "SIGN_IN_REFUSED"
    FORBIDDEN = "FORBIDDEN"
    CSRF_FAILED = "CSRF_FAILED"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    STATE_CHANGED = "STATE_CHANGED"
    IDEMPOTENCY_IN_FLIGHT = "IDEMPOTENCY_IN_FLIGHT"
    SESSION_ENDED = "SESSION_ENDED"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    INVALID_CURSOR = "INVALID_CURSOR"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    PAYMENT_PROVIDER_REFUSED = "PAYMENT_PROVIDER_REFUSED"


@dataclass(frozen=True, slots=True)
class Meaning:
    status: int
    text: str


SURFACE: dict[Code, Meaning] = {
    Code.BROKEN_JSON: Meaning(400, "The body is not JSON; nothing was read from it."),
    Code.BAD_REQUEST: Meaning(400, "The request cannot be understood."),
    Code.IDEMPOTENCY_KEY_REQUIRED: Meaning(400, "This request creates or moves money: send a new `Idempotency-Key` with it."),
    Code.AUTHENTICATION_REQUIRED: Meaning(401, "Sign in first; `details.flows` names the steps that are open."),
    Code.SIGN_IN_REFUSED: Meaning(400, "A step of signing in or signing up was refused; `details.fields` says why."),
    Code.FORBIDDEN: Meaning(403, "Not allowed for this account."),
    Code.CSRF_FAILED: Meaning(403, "A browser session must send the CSRF token (`X-CSRFToken`) with every change."),
    Code.NOT_FOUND: Meaning(404, "Unknown, or not visible to the one who asks: the two cannot be told apart."),
    Code.METHOD_NOT_ALLOWED: Meaning(405, "The address exists with other methods: see the header `Allow`."),
    Code.CONFLICT: Meaning(409, "Not possible in the present state of the sign-in."),
    Code.STATE_CHANGED: Meaning(409, "Not possible in the object's present state; read it again."),
    Code.IDEMPOTENCY_IN_FLIGHT: Meaning(409, "The first request with this key is still at work; repeat it in a moment."),
    Code.SESSION_ENDED: Meaning(410, "This session was ended; sign in again."),
    Code.BODY_TOO_LARGE: Meaning(413, "The body is larger than this API takes."),
    Code.UNSUPPORTED_MEDIA_TYPE: Meaning(415, "Bodies are `application/json`."),
    Code.VALIDATION_ERROR: Meaning(422, "A value is missing, of the wrong type or out of bounds; `details.fields` names each."),
    Code.INVALID_CURSOR: Meaning(422, "The cursor was not given by this list, or by the list in another order."),
    Code.IDEMPOTENCY_KEY_REUSED: Meaning(422, "This key was used before with another request."),
    Code.RATE_LIMITED: Meaning(429, "Too many requests; wait as many seconds as `Retry-After` says."),
    Code.INTERNAL_ERROR: Meaning(500, "A defect of ours; quote the `request_id`."),
    Code.PAYMENT_PROVIDER_REFUSED: Meaning(502, "The payment provider refused; nothing was charged."),
}


# What the domain refuses. A code that is missing here fails a test: every promise is written down.
DOMAIN: dict[str, Meaning] = {
    "ADDRESS_NOT_VERIFIED": Meaning(403, "The account has not verified the address that was invited."),
    "ALREADY_INVITED": Meaning(409, "The address is invited already; `details.invitation` names the open invitation."),
    "ALREADY_MEMBER": Meaning(409, "The person works for the organization already."),
    "INVITATION_CLOSED": Meaning(409, "The invitation is not open any more; `details.state` says what became of it."),
    "INVITATION_LIMIT": Meaning(429, "The organization has invited as many people as it may in 24 hours."),
    "INVITED_AT_ANOTHER_ADDRESS": Meaning(403, "The invitation was sent to another address than those of the account."),
    "LAST_ADMIN": Meaning(409, "The organization would have no admin left."),
    "MEMBERSHIP_ENDED": Meaning(409, "The person does not work for the organization any more."),
    "ROLE_UNCHANGED": Meaning(409, "The member has that role already."),
    "SUCCESSOR_NEEDED": Meaning(409, "The member hosts something; name who takes over. `details` says how many of what."),
    "EMAIL_NOT_VERIFIED": Meaning(403, "The account has not verified its address yet."),
    "NO_LOGO": Meaning(409, "The organization has no logo."),
    "ORGANIZATION_LIMIT": Meaning(429, "The account has created as many organizations as it may in 24 hours."),
    "ACTING_ENDED": Meaning(409, "Acting in the organization's place has ended already."),
    "ALREADY_OFFERED": Meaning(409, "The admin role is offered to the member already."),
    "OFFER_CLOSED": Meaning(409, "The offer is not open any more."),
    "CLOSING_BLOCKED": Meaning(409, "The organization cannot be closed yet; `details.blockers` names all that stands in the way."),
    "EXPORT_UNDER_WAY": Meaning(409, "An export is being made already."),
    "REPEATED_IN_FILE": Meaning(422, "The same address stands in the file twice."),
    "RESEND_LIMIT": Meaning(429, "The invitation was sent as often as it may be in 24 hours."),
    "BOOKS_BUSY": Meaning(409, "The books are being closed at this moment; try again."),
    "DISCREPANCY_SETTLED": Meaning(409, "The difference is settled already."),
    "DISPUTE_NOT_ANSWERABLE": Meaning(409, "The dispute takes no answer now; the message says why."),
    "MONEY_IN_SUSPENSE": Meaning(409, "Money stands in suspense for this difference; settle that first."),
    "NOTHING_TO_ASK": Meaning(409, "The payment provider knows nothing that could be asked for."),
    "NOTHING_TO_RETRY": Meaning(409, "The payment needs no second try, or its place can no longer be held."),
    "PERIOD_NOT_CLOSABLE": Meaning(409, "The period still has differences, or has not ended; the message names what stands in the way."),
    "PLAN_NOT_FOR_SALE": Meaning(409, "This plan cannot be bought here; the message says why."),
    "PRICE_UNCHANGED": Meaning(409, "It costs that already."),
    "PREVIEW_EXPIRED": Meaning(404, "The preview's link is over or was altered; ask the organizer for a new one."),
    "RECONCILIATION_UNDER_WAY": Meaning(409, "A reconciliation is under way; wait for it."),
    "ALREADY_SUBSCRIBED": Meaning(409, "The organization has a subscription; change that one."),
    "INVOICE_UNREACHABLE": Meaning(409, "The payment provider has no such page of this invoice."),
    "NOT_SUBSCRIBED": Meaning(409, "The organization has no subscription yet."),
    "SUBSCRIBING_REFUSED": Meaning(409, "The payment provider does not open this page now."),
    "ACCOUNT_EXISTS": Meaning(409, "The account has a password already."),
    "ALREADY_CANCELLED": Meaning(409, "The registration is cancelled already."),
    "ALREADY_REGISTERED": Meaning(409, "You have a place at this event; `details.registration` names it."),
    "AMOUNT_MISMATCH": Meaning(409, "The provider captured another amount than was due; a person looks at it."),
    "BELOW_PAYOUT_MINIMUM": Meaning(409, "Less than the smallest payout in this currency; `details.minimum` says how much that is."),
    "CANCELLATION_CLOSED": Meaning(409, "The event has started; only its organizer can cancel the place."),
    "CHECKLIST_FAILED": Meaning(409, "The event cannot be published yet; `details.failures` names all that is missing."),
    "DOWNGRADE_BLOCKED": Meaning(409, "The smaller plan does not fit yet; `details.blockers` names what stands in the way."),
    "FOREIGN_RETURN": Meaning(409, "The way back from the payment provider is another organization's."),
    "NOTHING_TO_UNDO": Meaning(409, "No change waits for the period's end."),
    "PLAN_NOT_SMALLER": Meaning(409, "The plan is not smaller than the one that the organization has."),
    "PLAN_CHANGE_PENDING": Meaning(409, "A change of the subscription is on its way already."),
    "SUBSCRIPTION_NOT_CHANGEABLE": Meaning(409, "The subscription does not take this change; the message says why."),
    "EVENT_BEING_PROCESSED": Meaning(409, "The inbound event is being processed; wait for the result."),
    "EVENT_FULL": Meaning(409, "All places are taken."),
    "EVENT_HAS_REGISTRATIONS": Meaning(409, "People have places; the event stays published."),
    "EVENT_LOCKED": Meaning(409, "This can no longer be changed after the first paid registration."),
    "EVENT_NOT_HANDLED": Meaning(409, "This release does nothing with inbound events of this type."),
    "EVENT_PARKED": Meaning(409, "The inbound event speaks another version of the payment provider's API; a later release may replay it."),
    "EVENT_STARTED": Meaning(409, "The event has started; it cannot go back to draft."),
    "EXCEEDS_AVAILABLE": Meaning(409, "More than can be paid out now; `details.available` says how much can."),
    "GUESTS_NOT_ALLOWED": Meaning(403, "This event takes people with an account only; sign in first."),
    "HOLD_EXPIRED": Meaning(409, "The place was let go because it was not confirmed in time; register again."),
    "LIMIT_REACHED": Meaning(402, "The plan allows no more; `details.current` and `details.limit` say how much is used of how much."),
    "NO_TRIAL_RUNNING": Meaning(409, "There is no trial that could be made longer."),
    "PLAN_CHOSEN": Meaning(409, "The organization has a plan already; `details.state` says how it stands."),
    "TRIAL_AT_STRIPE": Meaning(409, "A card was given for the trial; Stripe ends it on the day that it was told."),
    "TRIAL_USED": Meaning(409, "This person had the trial of this plan already."),
    "PLAN_INACTIVE": Meaning(402, "The plan has run out; nothing new can be made until it is paid for."),
    "MONEY_LEFT_IN_ACCOUNT": Meaning(409, "The books still hold money in the account that was taken away; finance settles that first."),
    "NEGATIVE_BALANCE": Meaning(409, "Refunds or disputes took more than was there; `details.owed` is made up for by what is earned next."),
    "NOTHING_PAID": Meaning(409, "The place was free; there is nothing to refund."),
    "NOTHING_TO_PAY": Meaning(409, "The place is free; there is nothing to pay."),
    "NOTHING_TO_REFUND": Meaning(409, "Nothing is left to refund, or the refund terms give nothing now."),
    "NOT_PAYABLE": Meaning(409, "The payment is paid or ended; it cannot be paid any more."),
    "ONBOARDING_REFUSED": Meaning(409, "The payment provider does not open its set-up pages now."),
    "NO_RECEIPT_AT_STRIPE": Meaning(409, "The payment provider has no receipt for this payment; there is one once it is paid."),
    "NO_SEAT_LEFT": Meaning(402, "No seat is free for this line of the file, and none can be bought."),
    "PAYMENT_DISPUTED": Meaning(409, "The buyer disputes the payment at the bank; a refund would pay twice."),
    "PAYOUTS_NOT_USABLE": Meaning(
        409, "The payout account cannot be paid out to in this currency yet; `details.missing` says what is asked for."
    ),
    "PAYOUT_ALREADY_OPEN": Meaning(409, "One payout at a time for each currency; `details.payout` names the one under way."),
    "PAYOUT_NOT_WAITING": Meaning(409, "The payout's state does not allow this any more."),
    "PAYOUT_TOKEN_REUSED": Meaning(422, "The request was sent before with other values."),
    "PERMISSION_REFUSED": Meaning(403, "You see it, but may not do this."),
    "PRICE_CHANGED": Meaning(409, "The total is not the one you were shown; `details.quote` is the price now."),
    "PROMO_CODE_ALREADY_USED": Meaning(409, "This person has used the promo code as often as one may."),
    "PROMO_CODE_CURRENCY": Meaning(409, "The promo code is for prices in another currency."),
    "PROMO_CODE_EXPIRED": Meaning(409, "The promo code's time is over."),
    "PROMO_CODE_FIRST_TIME_ONLY": Meaning(409, "The promo code is for people who have not been with the organizer before."),
    "PROMO_CODE_LOCKED": Meaning(409, "The promo code has been used, or is archived; `details.fields` can no longer be changed."),
    "PROMO_CODE_MINIMUM": Meaning(409, "The price is below the promo code's minimum."),
    "PROMO_CODE_NEEDS_ACCOUNT": Meaning(409, "The promo code is limited for each person: sign in with a confirmed address."),
    "PROMO_CODE_NOT_FOR_EVENT": Meaning(409, "The promo code is for other events."),
    "PROMO_CODE_NOT_NEEDED": Meaning(409, "The place is free; it takes no promo code."),
    "PROMO_CODE_NOT_YET_VALID": Meaning(409, "The promo code's time has not begun."),
    "PROMO_CODE_REFUSED": Meaning(409, "The promo code cannot be used."),
    "PROMO_CODE_TAKEN": Meaning(409, "The organization has a promo code of this spelling."),
    "PROMO_CODE_TAKES_NOTHING": Meaning(409, "The promo code takes nothing off so small a price."),
    "PROMO_CODE_TRIES": Meaning(429, "Too many promo codes were tried from here; wait a minute."),
    "PROMO_CODE_UNKNOWN": Meaning(422, "There is no such promo code for this event's organizer, or it cannot be used now."),
    "PROMO_CODE_USED_UP": Meaning(409, "The promo code has been used as often as it may be."),
    "REFUND_EXCEEDS_BALANCE": Meaning(409, "More than is left; `details.refundable` says how much is."),
    "REFUND_NOT_FAILED": Meaning(409, "Only a failed refund can be retried."),
    "REFUND_NOT_WAITING": Meaning(409, "The refund does not wait for approval any more."),
    "SEAT_DRIFT_SETTLED": Meaning(409, "The numbers of seats agree already; there is nothing to mend."),
    "SEAT_LIMIT_REACHED": Meaning(
        402, "No seat is free; `details.price` and `details.due_now` say what one more costs, null where none can be bought."
    ),
    "SEATS_IN_USE": Meaning(409, "People use more of the bought seats than that; `details.needed` says how many."),
    "SEATS_NOT_SOLD": Meaning(409, "The organization's plan sells no further seats now."),
    "REGISTRATION_CLOSED": Meaning(409, "Registration is not open: too early, too late, or the event is over."),
    "REQUEST_TOKEN_REUSED": Meaning(422, "The request was sent before with other values."),
    "ROWS_IN_USE": Meaning(409, "Somebody works on the same objects at this moment; try again."),
    "SAME_PERSON": Meaning(409, "Nobody approves the refund that they requested."),
    "SAME_PERSON_ASKED": Meaning(409, "Above the limit nobody approves the payout that they asked for."),
    "SECOND_CHARGE": Meaning(409, "A second charge arrived for something that is paid; a person refunds it."),
    "SECOND_FACTOR_REQUIRED": Meaning(403, "Enter your second factor again, then repeat this."),
    "SECOND_PAYOUT": Meaning(409, "A second payout was made for one that exists; a person cancels it."),
    "SECOND_TRANSFER": Meaning(409, "A second transfer was made for one that exists; a person reverses it."),
    "STAFF_EXIST": Meaning(409, "There are staff accounts already; another one is asked for by name."),
    "STALE_RETURN": Meaning(410, "The way back from the payment provider has run out, or was altered."),
    "STRIPE_BALANCE_UNREAD": Meaning(409, "What the payment provider holds has not been read yet; try again in some minutes."),
    "STRIPE_UNREACHABLE": Meaning(503, "The payment provider does not answer just now; try again in a moment."),
    "TOTAL_ABOVE_MAXIMUM": Meaning(409, "More than one card payment can be."),
    "TOTAL_BELOW_MINIMUM": Meaning(409, "Less than a card payment can be."),
    "ALREADY_CHECKED_IN": Meaning(409, "The person is checked in already; `details.check_in` names the check-in that counts."),
    "ATTENDANCE_RECORDED": Meaning(409, "Minutes are recorded; deny the session with a reason instead of marking the person absent."),
    "ATTENDANCE_UNCHANGED": Meaning(409, "The person is marked so already."),
    "CHECK_IN_UNDONE": Meaning(409, "The check-in was undone already."),
    "EFFECT_NOT_CONFIRMED": Meaning(409, "People would gain or lose by it; `details.seal` confirms just that."),
    "LINE_APPLIED": Meaning(409, "This attendance is recorded already."),
    "LINE_UNMATCHED": Meaning(409, "Nobody is found for the line of the file; match it by hand."),
    "LINE_UNREADABLE": Meaning(422, "The line of the file cannot be used; the message says why."),
    "NOTHING_DECIDED": Meaning(409, "Nothing is decided by hand there."),
    "PLACE_CANCELLED": Meaning(409, "The registration is cancelled; there is no attendance of it."),
    "PLACE_NOT_CONFIRMED": Meaning(409, "The registration is not confirmed yet; there is no attendance of it."),
    "SESSION_ATTENDED": Meaning(409, "Attendance is recorded for the session; cancel it instead of removing it."),
    "TICKET_OF_ANOTHER_EVENT": Meaning(409, "The ticket is for another event."),
    "TICKET_UNKNOWN": Meaning(422, "The text is no ticket of ours."),
    "WRONG_CURRENCY": Meaning(422, "The payment was made in another currency."),
}
