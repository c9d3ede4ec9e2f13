from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """On its own and without a transaction: the table is large, and every operation writes to it while the index is built."""

    atomic = False

    dependencies = [
        ('audit', '0002_auditentry_audit_action_auditentry_audit_request_and_more'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='auditentry',
            index=models.Index(condition=models.Q(('user_id', None)), fields=['actor', '-id'], name='audit_system'),
        ),
    ]
