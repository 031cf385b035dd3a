"""What routes need beside the database and the analysis."""

from dataclasses import dataclass

from memwarden_collector.serve.command_desk import CommandDesk
from memwarden_collector.settings import Limits
from memwarden_collector.snapshot_keeper import SnapshotKeeper
from memwarden_collector.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Services:
    desk: CommandDesk
    keeper: SnapshotKeeper | None
    """None: this collector keeps no snapshots."""
    limits: Limits
    telemetry: Telemetry
