"""What of a container's last judgement its workload's verdict is made of.

Kept beside the whole verdict, which is large.
"""

from pydantic import BaseModel, ConfigDict

from memwarden_api import report
from memwarden_core.fleet import COMPARED
from memwarden_core.judge import fingerprint_of
from memwarden_core.recording import Recording
from memwarden_core.verdict import Gate, Kind, Site, Verdict

_SITES = 5
_GROWING = (Kind.LEAKING, Kind.GROWING)


class Digest(BaseModel):
    """The names are those of the verdict; moments in Unix seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    confidence: float = 0.5
    reason: str = ""
    headline: str = ""
    cause: str = ""
    at_risk: bool = False
    since: float | None = None
    growth: float | None = None
    forecast: report.Forecast | None = None
    fingerprint: str | None = None
    site_fingerprints: tuple[str, ...] = ()
    """Those that leaks at its sites would have, the likeliest first."""
    site: report.Frame | None = None
    runtime: str = ""
    drift: float | None = None
    gates: dict[str, bool] = {}
    """Those by which replicas are compared, where they could be checked: whether they were passed."""
    chance: float = 1.0
    observed: str | None = None

    @property
    def grows(self) -> bool:
        """Whether growth was seen at that moment, whatever was said before."""
        return self.observed in _GROWING

    def as_verdict(self, kind: Kind, at: float) -> Verdict:
        """As much of the judge's verdict as replicas are compared by."""
        gates = [] if self.drift is None else [Gate("drift", None, self.drift, None, "t", "")]
        gates += [Gate(name, ok, None, None, "", "") for name, ok in self.gates.items()]
        frame = self.site
        sites = (
            () if frame is None else (Site(frame.file, frame.line, frame.function, 0, 0.0, 0.0, 0.0, 0, ()),)
        )
        return Verdict(
            at=at,
            kind=kind,
            reason=self.reason,
            headline=self.headline,
            confidence=self.confidence,
            at_risk=self.at_risk,
            anon_bytes=None,
            since=self.since,
            growth_bytes_per_second=self.growth,
            growth_interval=None,
            forecast=None,
            cause=self.cause,
            fingerprint=self.fingerprint,
            sites=sites,
            types=(),
            advice=(),
            gates=tuple(gates),
        )


def digest(verdict: Verdict, document: report.Verdict, recording: Recording) -> Digest:
    """`document` is the public form of the same verdict: its numbers are finite."""
    drift = next((gate.value for gate in document.gates if gate.name == "drift"), None)
    top = document.sites[0] if document.sites else None
    return Digest(
        confidence=document.confidence,
        reason=document.reason,
        headline=document.headline,
        cause=document.cause,
        at_risk=document.at_risk,
        since=verdict.since,
        growth=document.growth_bytes_per_second,
        forecast=document.oom_forecast_seconds,
        fingerprint=document.fingerprint,
        site_fingerprints=tuple(
            dict.fromkeys(fingerprint_of(site, recording) for site in verdict.sites[:_SITES])
        ),
        site=None if top is None else report.Frame(file=top.file, line=top.line, function=top.function),
        runtime=next((one.runtime for one in document.processes if one.runtime), ""),
        drift=drift,
        gates={
            gate.name: gate.passed
            for gate in verdict.gates
            if gate.name in COMPARED and gate.passed is not None
        },
        chance=verdict.chance,
        observed=None if verdict.observed is None else verdict.observed.value,
    )
