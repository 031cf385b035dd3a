"""`--migrate-to N`: the schema forward or backward, without serving."""

import sys

from memwarden_api.names import EXIT_FAILED
from memwarden_collector.errors import CollectorError
from memwarden_collector.opening import open_database
from memwarden_collector.settings import Settings


def migrate_to(settings: Settings, target: int) -> int:
    """0, or 125 with one sentence on standard error."""
    try:
        open_database(settings, target).close()
    except (CollectorError, ValueError) as error:
        print(f"memwarden collector: {error}", file=sys.stderr)
        return EXIT_FAILED
    print(f"the schema is at migration {target}")
    return 0
