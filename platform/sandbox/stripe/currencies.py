"""What Stripe says about currencies: decimals, steps, minimum charges; https://docs.stripe.com/currencies. And the fee asked here."""

from sandbox.stripe.errors import StripeError, invalid

ZERO_DECIMAL = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"),
)
THREE_DECIMAL = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
_TWO_DECIMAL = """
usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc cve czk dkk dop dzd egp
etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop
mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs
top try ttd twd tzs uah uyu uzs wst yer zar zmw
"""
KNOWN = ZERO_DECIMAL | THREE_DECIMAL | frozenset(_TWO_DECIMAL.split())
_MINIMUM = {
    "aed": 200,
    "bgn": 100,
    "czk": 1500,
    "dkk": 250,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "kwd": 150,
    "bhd": 190,
    "omr": 190,
    "jod": 360,
    "tnd": 1500,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "thb": 1000,
    "krw": 700,
    "isk": 10000,
}
_LARGEST = 99_999_999
_FIXED_FEE = {"jpy": 30, "krw": 300, "kwd": 100, "bhd": 100, "omr": 100, "jod": 200, "tnd": 900, "huf": 8500, "czk": 650}


def step(currency: str) -> int:
    """Amounts are multiples of this many minor units."""
    if currency in THREE_DECIMAL:
        return 10
    return 100 if currency == "isk" else 1


def minimum_charge(currency: str) -> int:
    return _MINIMUM.get(currency, 50)


def known(text: str, *, param: str = "currency") -> str:
    """The currency code in lower case. Raises Stripe's 400 for one it does not have."""
    currency = text.lower()
    if currency not in KNOWN:
        raise invalid(f"Invalid currency: {text}. Stripe currently supports these currencies: {', '.join(sorted(KNOWN))}", param=param)
    return currency


def check_charge(amount: int, currency: str, *, param: str = "amount", noun: str = "Amount") -> None:
    """Raises Stripe's 400 for an amount below the minimum, above the maximum or off the currency's step."""
    if amount < minimum_charge(currency):
        message = f"{noun} must be at least {shown(minimum_charge(currency), currency)}"
        raise invalid(message, param=param, code="amount_too_small")
    if amount > _LARGEST:
        raise invalid(f"{noun} must be no more than {shown(_LARGEST, currency)}", param=param, code="amount_too_large")
    check_step(amount, currency, param=param)


def check_step(amount: int, currency: str, *, param: str = "amount") -> None:
    if amount % step(currency):
        raise off_step(currency, param)


def off_step(currency: str, param: str) -> StripeError:
    message = f"Invalid amount: amounts in {currency} must be evenly divisible by {step(currency)}."
    return invalid(message, param=param, code="invalid_charge_amount")


def shown(amount: int, currency: str) -> str:
    """For messages: "12.30 usd"."""
    decimals = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    whole, part = divmod(amount, 10**decimals)
    return f"{whole:,}.{part:0{decimals}d} {currency}" if decimals else f"{whole:,} {currency}"


def fee(amount: int, currency: str) -> int:
    """Stripe's processing fee in minor units: 2.9 % rounded half up to the step, plus a fixed part; never more than the amount."""
    unit = step(currency)
    percent = (amount * 29 + 500 * unit) // (1000 * unit) * unit
    return min(percent + _FIXED_FEE.get(currency, 30), amount)
