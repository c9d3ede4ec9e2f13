"""What the books hold of each payment for its payee, counted once from the postings so far."""

from django.db import migrations

_COUNT = """
    UPDATE billing_payment SET earned = counted.total FROM (
        SELECT payment_id, -sum(amount) AS total FROM (
            SELECT payment.id AS payment_id, entry.amount
                FROM billing_payment payment
                JOIN ledger_ledgertransaction fact ON fact.reference = 'payment:' || payment.id
                JOIN ledger_ledgerentry entry ON entry.transaction_id = fact.id AND entry.account = 'organizer_payable'
            UNION ALL
            SELECT refund.payment_id, entry.amount
                FROM ledger_ledgertransaction fact
                JOIN billing_refund refund ON refund.id::text = split_part(fact.reference, ':', 2)
                JOIN ledger_ledgerentry entry ON entry.transaction_id = fact.id AND entry.account = 'organizer_payable'
                WHERE fact.reference LIKE 'refund:%'
            UNION ALL
            SELECT dispute.payment_id, entry.amount
                FROM ledger_ledgertransaction fact
                JOIN billing_dispute dispute ON dispute.id::text = split_part(fact.reference, ':', 2)
                JOIN ledger_ledgerentry entry ON entry.transaction_id = fact.id AND entry.account = 'organizer_payable'
                WHERE fact.reference LIKE 'dispute:%'
        ) posted GROUP BY payment_id
    ) counted WHERE counted.payment_id = billing_payment.id
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_payouts"), ("ledger", "0002_invariant_run")]

    operations = [migrations.RunSQL(_COUNT, migrations.RunSQL.noop)]
