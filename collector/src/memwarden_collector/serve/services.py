"""What routes need beside the database and the analysis."""

from dataclasses import dataclass

from memwarden_collector.serve.command_desk import CommandDesk
from memwarden_collector.settings import Limits
from memwarden_collector.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Services:
    desk: CommandDesk
    limits: Limits
    telemetry: Telemetry
