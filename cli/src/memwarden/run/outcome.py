"""Which exit code a run ends with. Pure: what happened in, a number out."""

from dataclasses import dataclass

from memwarden_api.names import EXIT_FAILED, EXIT_LEAK, EXIT_SIGNAL_BASE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to the app, and to what was asked of us."""

    app_exit_code: int
    """-N: ended by signal N."""
    ended_by_duration: bool
    condition_met: bool
    """Whether a condition of --fail-on or --max-growth is met."""
    all_honoured: bool
    """Whether all reports, the kept file and the check of the conditions could be had."""

    @property
    def exit_code(self) -> int:
        """The app's own failure is never hidden; then comes what was not to happen, then a failure of ours."""
        code = 0 if self.ended_by_duration else self.app_exit_code
        if code != 0:
            return code if code > 0 else EXIT_SIGNAL_BASE - code
        if self.condition_met:
            return EXIT_LEAK
        return 0 if self.all_honoured else EXIT_FAILED
