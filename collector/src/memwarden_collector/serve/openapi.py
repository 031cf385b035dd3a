"""`python -m memwarden_collector.serve.openapi` prints the description of the interface, as it is published."""

import json
import sys

from memwarden_collector.analysis.analyst import Analyst
from memwarden_collector.clock import Clock
from memwarden_collector.serve.command_desk import CommandDesk
from memwarden_collector.serve.interface import make_interface
from memwarden_collector.serve.services import Services
from memwarden_collector.settings import Analysis, Limits
from memwarden_collector.store.connection import Database
from memwarden_collector.telemetry import Telemetry


def openapi_text() -> str:
    """The OpenAPI document as it stands in docs/reference/openapi.json; needs no database."""
    database = Database("")
    telemetry, limits = Telemetry(), Limits()
    services = Services(CommandDesk(database, 1, telemetry), None, limits, telemetry)
    app = make_interface(database, Analyst(database, Analysis(), telemetry, Clock()), services)
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(openapi_text())
