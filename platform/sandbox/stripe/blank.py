"""What a new charge, payment intent and Checkout session show in the fields that nothing here ever sets, or not when they are made."""

from sandbox.stripe.errors import Json

_EMPTY_CHARGE = """
application application_fee application_fee_amount balance_transaction failure_balance_transaction on_behalf_of receipt_number
review shipping source_transfer statement_descriptor statement_descriptor_suffix transfer_data
"""
CHARGE: Json = {
    **dict.fromkeys(_EMPTY_CHARGE.split()),
    "amount_refunded": 0,
    "calculated_statement_descriptor": "CPD SANDBOX",
    "disputed": False,
    "fraud_details": {},
    "refunded": False,
}

_EMPTY_PAYMENT_INTENT = """
application application_fee_amount canceled_at cancellation_reason last_payment_error latest_charge next_action on_behalf_of
payment_method_configuration_details processing review setup_future_usage shipping statement_descriptor
statement_descriptor_suffix transfer_data
"""
PAYMENT_INTENT: Json = {
    **dict.fromkeys(_EMPTY_PAYMENT_INTENT.split()),
    "amount_capturable": 0,
    "amount_details": {"tip": {}},
    "amount_received": 0,
    "capture_method": "automatic_async",
    "confirmation_method": "automatic",
    "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
    "payment_method_types": ["card"],
    "status": "requires_payment_method",
}

_EMPTY_SESSION = """
after_expiration allow_promotion_codes billing_address_collection client_secret collected_information consent consent_collection
currency_conversion invoice invoice_creation origin_context payment_intent payment_link payment_method_configuration_details
permissions recovered_from saved_payment_method_options setup_intent shipping_address_collection shipping_cost subscription url
wallet_options
"""
SESSION: Json = {
    **dict.fromkeys(_EMPTY_SESSION.split()),
    "adaptive_pricing": {"enabled": False},
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "custom_fields": [],
    "custom_text": {"after_submit": None, "shipping_address": None, "submit": None, "terms_of_service_acceptance": None},
    "discounts": [],
    "metadata": {},
    "mode": "payment",
    "payment_method_collection": "if_required",
    "payment_method_options": {},
    "payment_method_types": ["card"],
    "payment_status": "unpaid",
    "phone_number_collection": {"enabled": False},
    "shipping_options": [],
    "status": "open",
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    "ui_mode": "hosted_page",
}
