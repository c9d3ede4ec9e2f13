"""The HTML of the hosted pages: semantic, readable without style, fits a phone."""

from html import escape
from string import Template

from sandbox.stripe import currencies
from sandbox.stripe.errors import Json

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,"><title>$title</title>
<style>
  * { box-sizing: border-box }
  body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1a1f36; background: #f6f8fa }
  header { background: #1a1f36; color: #fff; padding: .5rem 1rem; text-align: center; font-size: .875rem }
  main { max-width: 27rem; margin: 1.5rem auto; padding: 1.5rem; background: #fff; border-radius: 8px; box-shadow: 0 1px 4px #0002 }
  h1 { font-size: 1.25rem; margin: 0 0 1rem }
  dl { display: grid; grid-template-columns: 1fr auto; gap: .25rem 1rem; margin: 0 0 1.5rem }
  dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums }
  .total { font-weight: 600; border-top: 1px solid #d5dbe1; padding-top: .25rem }
  label, legend { display: block; font-weight: 500; margin-bottom: .25rem; padding: 0 }
  input[type=text], input[type=email] { width: 100%; font: inherit; padding: .6rem; border: 1px solid #8792a2;
    border-radius: 6px; margin-bottom: 1rem }
  fieldset { border: 0; margin: 0 0 1rem; padding: 0 }
  fieldset label { font-weight: 400; min-height: 1.75rem }
  button { width: 100%; min-height: 2.75rem; font: inherit; font-weight: 600; border: 0;
    border-radius: 6px; background: #0055de; color: #fff; cursor: pointer }
  button.second { background: #e3e8ee; color: #1a1f36; margin-top: .75rem }
  :focus-visible { outline: 3px solid #ffb200; outline-offset: 2px }
  .problem { border-left: 4px solid #b3093c; background: #fff0f3; color: #8a0730; padding: .75rem 1rem; margin: 0 0 1rem }
  a { color: #0055de } p.back { margin: 1.25rem 0 0; text-align: center }
  .others { margin: 1.5rem 0 0; display: grid; grid-template-columns: 1fr 1fr; gap: .5rem }
  .others legend { font-size: .875rem; margin-bottom: .5rem }
  .others button { margin: 0; font-size: .875rem; font-weight: 400; line-height: 1.3; padding: .4rem }
</style>
</head>
<body>
<header>Test mode: no money moves</header>
<main>
$body
</main>
</body>
</html>
""")

_CHECKOUT = Template("""<h1>Pay $total</h1>
$problem
<dl>
$lines
<dt class="total">Total</dt><dd class="total">$total</dd>
</dl>
<form method="post">
<label for="email">Email</label>
<input id="email" name="email" type="email" autocomplete="email" required value="$email">
<label for="name">Name on card</label>
<input id="name" name="name" type="text" autocomplete="cc-name" value="Test Attendee">
<fieldset>
<legend>Pay by</legend>
<label><input type="radio" name="method" value="card" checked> Card</label>
<label><input type="radio" name="method" value="bank"> Card, settled later by the bank</label>
</fieldset>
<label for="card">Card number</label>
<input id="card" name="card" type="text" inputmode="numeric" autocomplete="cc-number" required
 value="4242 4242 4242 4242" aria-describedby="cards">
<button type="submit">Pay $total</button>
<fieldset class="others" id="cards">
<legend>Or try what a test card does</legend>
$others
</fieldset>
</form>
$back""")

_OTHERS = (
    ("Declined", "4000000000000002"),
    ("Insufficient funds", "4000000000009995"),
    ("3-D Secure", "4000002760003184"),
    ("Disputed afterwards", "4000000000000259"),
    ("Refund pending", "4000000000007726"),
    ("Refund fails later", "4000000000005126"),
)

_CHALLENGE = Template("""<h1>3-D Secure</h1>
<p>Your bank asks you to confirm a payment of <strong>$amount</strong>.</p>
<form method="post">
<button type="submit" name="answer" value="complete">Complete</button>
<button type="submit" name="answer" value="fail" class="second">Fail</button>
</form>""")


_ONBOARDING = Template("""<h1>Payout account</h1>
<p>Stripe asks for papers and a bank account here. In this stand-in one button gives them all.</p>
<p>Account <code>$account</code>, $country.</p>
<form method="post">
<button type="submit" name="answer" value="complete">Complete</button>
<button type="submit" name="answer" value="later" class="second">Later</button>
</form>""")


def _page(title: str, body: str) -> str:
    return _PAGE.substitute(title=escape(title), body=body)


def notice(title: str, text: str, *, link: str | None = None, label: str = "Continue") -> str:
    """A page that only says something."""
    after = f'<p class="back"><a href="{escape(link)}">{escape(label)}</a></p>' if link else ""
    return _page(title, f"<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>\n{after}")


def checkout(session: Json, items: list[Json], *, problem: str) -> str:
    """The page on which a session is paid; `problem` says why the last attempt failed."""
    currency = session["currency"]
    lines = "\n".join(
        f"<dt>{escape(item['description'])}{' &times; ' + str(item['quantity']) if item['quantity'] > 1 else ''}</dt>"
        f"<dd>{currencies.shown(item['amount_total'], currency).upper()}</dd>"
        for item in items
    )
    others = (
        f'<button type="submit" class="second" name="try" value="{number}">{name}<br>ends in {number[-4:]}</button>'
        for name, number in _OTHERS
    )
    body = _CHECKOUT.substitute(
        others="\n".join(others),
        total=currencies.shown(session["amount_total"], currency).upper(),
        lines=lines,
        problem=f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else "",
        email=escape((session["customer_details"] or {}).get("email") or ""),
        back=f'<p class="back"><a href="{escape(session["cancel_url"])}">Cancel and go back</a></p>' if session["cancel_url"] else "",
    )
    return _page("Checkout", body)


def challenge(amount: str) -> str:
    """The bank's question."""
    return _page("3-D Secure", _CHALLENGE.substitute(amount=escape(amount.upper())))


def onboarding(account: Json) -> str:
    """What Stripe wants to know before it pays an organization out."""
    return _page("Payout account", _ONBOARDING.substitute(account=escape(account["id"]), country=escape(account["country"])))


def invoice(number: str, body: str) -> str:
    """One invoice, and the ways to pay it."""
    return _page(f"Invoice {number}", f"<h1>Invoice {escape(number)}</h1>\n{body}")


def portal(body: str, back: str | None) -> str:
    """What a customer may do about their subscriptions."""
    link = f'<p class="back"><a href="{escape(back)}">Go back</a></p>' if back else ""
    return _page("Billing", f"<h1>Billing</h1>\n{body}\n{link}")
