from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """On its own and without a transaction: the table may be large, and postings go on while the index is built."""

    atomic = False

    dependencies = [
        ('ledger', '0004_closed_periods'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='ledgerentry',
            index=models.Index(condition=models.Q(('account__in', ['stripe_balance', 'connected_balance'])), fields=['account', 'owner', 'transaction'], name='ledger_moves_stripe'),
        ),
    ]
