"""python -m bench.worker: a cluster that knows the tasks of bench.noop too."""

import django
from django.core.management import call_command

if __name__ == "__main__":
    django.setup()
    import bench.noop  # noqa: F401  registers its task, which needs the settings

    call_command("qcluster")
