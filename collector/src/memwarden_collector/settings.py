"""The collector's settings: one frozen model, loaded once, printed by `--print-config`.

Every field says what it is for; options.py makes one option of each limit, so that a limit that is not documented
can't exist.
"""

import json
import re
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from memwarden_api.names import AUDIENCE, ENV_TOKEN, TRUST_PATH
from memwarden_core.settings import Sensitivity

ENV_DATABASE_URL: Final = "MEMWARDEN_DATABASE_URL"
DEFAULT_PORT: Final = 4318  # OTLP over HTTP
DEFAULT_GRPC_PORT: Final = 4317  # OTLP over gRPC
Keep = Literal["samples", "1m", "10m", "1h", "1d", "profiles", "ledger"]
LogLevel = Literal["debug", "info", "warning", "error"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Limits(_Model):
    """What the doors take. Every rejection names the limit and its value."""

    max_request_bytes: int = Field(
        default=16 << 20, ge=1, description="Bytes of a request's body as sent (413)"
    )
    max_inflated_bytes: int = Field(
        default=64 << 20, ge=1, description="Bytes of a request's body inflated (413)"
    )
    max_inflate_ratio: int = Field(
        default=200, ge=1, description="Inflated to sent bytes, after the first MiB (413)"
    )
    max_decoded_bytes: int = Field(
        default=160 << 20,
        ge=1 << 20,
        description="Memory that a parsed request may take, estimated before parsing it (413)",
    )
    max_points: int = Field(
        default=50_000, ge=1, description="Points stored of one metrics request (partial success)"
    )
    max_buckets: int = Field(
        default=1024,
        ge=1,
        description="Buckets of a histogram's point, or quantiles of a summary's (partial success)",
    )
    max_points_per_second: float = Field(
        default=0, ge=0, description="Rows that all senders together may store in a second, 0 for any (429)"
    )
    max_scope_points_per_second: float = Field(
        default=10_000,
        ge=0,
        description="Rows of one scope in a second, 0 for any (429; partial success where others come with it)",
    )
    max_scope_new_series: float = Field(
        default=200_000,
        ge=0,
        description="New series of one scope in an hour, and at once, 0 for any (429; partial success as above)",
    )
    max_scope_new_resources: float = Field(
        default=50_000,
        ge=0,
        description="New processes or foreign resources of one scope in an hour, and at once, 0 for any (as above)",
    )
    max_dictionary_bytes: int = Field(
        default=128 << 20,
        ge=1 << 20,
        description="Memory for ids of names that the writer knows; what has no room is looked up again",
    )
    quota_burst_seconds: float = Field(
        default=60, gt=0, description="So much of a quota may be used at once by who was silent before"
    )
    max_attributes: int = Field(default=30, ge=0, description="Attributes of one point (partial success)")
    max_resource_attributes: int = Field(
        default=64, ge=1, description="Attributes of one resource (partial success)"
    )
    max_key_bytes: int = Field(
        default=256, ge=1, description="Bytes of a name or an attribute's key (partial success)"
    )
    max_value_bytes: int = Field(
        default=4096,
        ge=16,
        description="Bytes of a text; longer ones (command lines) are cut, with a warning",
    )
    max_array_length: int = Field(
        default=256, ge=1, description="Elements of an attribute that is an array; cut as above"
    )
    max_sample_age_seconds: float = Field(
        default=86_400,
        gt=0,
        description="Age of a point or profile (partial success); a spool may replay a day",
    )
    max_sample_future_seconds: float = Field(
        default=600, ge=0, description="How far ahead of this clock a point may be (partial success)"
    )
    max_profile_samples: int = Field(
        default=100_000, ge=1, description="Samples of one profiles request (partial success)"
    )
    max_stack_depth: int = Field(
        default=512, ge=1, description="Frames of a stack; deeper ones lose their outermost frames"
    )
    max_inflight_bytes: int = Field(
        default=256 << 20, ge=1, description="Bytes of all requests being worked on (503)"
    )
    max_grpc_calls: int = Field(
        default=1024, ge=1, description="Calls over gRPC being worked on, of all connections (503)"
    )
    max_queue_rows: int = Field(default=200_000, ge=1, description="Rows that wait for the database (503)")
    max_template_bytes: int = Field(
        default=128 << 20,
        ge=0,
        description="Memory for templates, by which requests of known senders are decoded; 0 for none",
    )
    max_snapshot_chunk_bytes: int = Field(
        default=1 << 20, ge=1, description="Bytes of one chunk of a snapshot (partial success)"
    )
    max_snapshot_bytes: int = Field(
        default=4 << 30, ge=1, description="Bytes of one snapshot (partial success)"
    )
    max_snapshots_bytes: int = Field(
        default=20 << 30, ge=1, description="Bytes of all snapshots of the folder together (partial success)"
    )
    max_receiving_snapshots: int = Field(
        default=8, ge=1, description="Snapshots that are uploaded at once (partial success)"
    )
    min_snapshot_free_bytes: int = Field(
        default=1 << 30, ge=0, description="Bytes that snapshots leave free on their disk (partial success)"
    )
    max_evidence_bytes: int = Field(
        default=32 << 20, ge=1 << 10, description="Bytes of the evidence of one pod (EvidenceTooLarge)"
    )
    max_all_evidence_bytes: int = Field(
        default=1 << 30, ge=0, description="Bytes of all evidence in the database (NoSpaceForEvidence)"
    )
    max_pod_evidence: int = Field(
        default=4, ge=0, description="Evidence taken of one pod in an hour (PodBudgetIsSpent)"
    )
    min_evidence_headroom_ratio: float = Field(
        default=1.0,
        ge=0,
        description="Free memory that a container must have, as a multiple of what taking evidence takes (NoHeadroom)",
    )
    max_interface_bytes: int = Field(
        default=8 << 20, ge=1, description="Bytes of the body of a request to the interface (413)"
    )
    max_commands: int = Field(
        default=10_000, ge=1, description="Commands that wait for sidecars, of all pods (429)"
    )
    max_pod_commands: int = Field(
        default=100, ge=1, description="Commands that wait for the sidecar of one pod (429)"
    )
    max_waiting_sidecars: int = Field(
        default=20_000, ge=1, description="Sidecars that wait for commands at once (503)"
    )
    body_seconds: float = Field(default=30, gt=0, description="Time a client has to send its body (408)")
    commit_seconds: float = Field(default=30, gt=0, description="Time a batch may wait for its commit (503)")


class Analysis(_Model):
    """When scopes are judged, and with how much of the past."""

    judge_every_intervals: float = Field(
        default=5, gt=0, description="A scope is judged once in so many sample intervals"
    )
    judge_min_seconds: float = Field(default=5, gt=0, description="…but not more often than this")
    history_seconds: float = Field(
        default=30, gt=0, description="A verdict that stays the same is kept this often"
    )
    window_seconds: float = Field(default=86_400, gt=0, description="How much of the past the judge sees")
    max_scope_rows: int = Field(
        default=400_000, ge=100, description="Samples of one scope in memory; the oldest go first"
    )
    max_profile_rows: int = Field(
        default=200_000,
        ge=100,
        description="Profile rows (stack × age) of one scope in memory; profiles are thinned evenly",
    )
    sensitivity: Sensitivity = Field(
        default=Sensitivity.NORMAL, description="How soon and how boldly a leak is called"
    )
    false_discovery_rate: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Share of false ones that is expected among scopes called leaking by chance; 1 turns it off",
    )
    screen_above: int = Field(
        default=32,
        ge=0,
        description="Containers that are all judged in full each time; of more than these a screen of their memory"
        " chooses which",
    )
    full_every_seconds: float = Field(
        default=21_600,
        gt=0,
        description="A healthy container that the screen passes is judged in full this often",
    )
    ended_after_seconds: float = Field(
        default=90,
        gt=0,
        description="A container that sent nothing for so long, and for ten of its intervals, has ended",
    )
    leak_close_seconds: float = Field(
        default=86_400, gt=0, description="A leak is closed when nothing was seen of it for so long"
    )
    leak_clean_seconds: float = Field(
        default=3600, ge=0, description="…or when another version has run so long without it"
    )
    metric_workloads: int = Field(
        default=5000, ge=0, description="Workloads that /metrics tells of, the worst first"
    )
    max_cached_scopes: int = Field(
        default=32, ge=1, description="Scopes whose past is kept in memory between judgements"
    )
    max_cached_bytes: int = Field(
        default=256 << 20,
        ge=1,
        description="Memory for these pasts; the one that was judged last is kept whatever it takes",
    )


class Retention(_Model):
    """How long what is kept, and how often that is looked after."""

    samples_days: float = Field(default=7, gt=0, description="Days that samples are kept")
    minutes_days: float = Field(default=30, gt=0, description="Days that rollups of one minute are kept")
    ten_minutes_days: float = Field(default=90, gt=0, description="Days that rollups of ten minutes are kept")
    hours_days: float = Field(default=400, gt=0, description="Days that rollups of one hour are kept")
    days_days: float = Field(default=1830, gt=0, description="Days that rollups of one day are kept")
    profiles_days: float = Field(default=14, gt=0, description="Days that allocation profiles are kept")
    ledger_days: float = Field(
        default=3, ge=2, description="Days that a batch is known by its id; longer than any spool, at least 2"
    )
    verdicts_days: float = Field(default=400, gt=0, description="Days that the history of verdicts is kept")
    cluster_days: float = Field(
        default=90,
        gt=0,
        description="Days that owners, rollouts, restarts and coverage are kept after they were last written",
    )
    snapshots_days: float = Field(default=14, gt=0, description="Days that snapshots are kept")
    scope_snapshots: int = Field(default=10, ge=1, description="Snapshots kept of one scope, the newest")
    partial_snapshot_hours: float = Field(
        default=24, gt=0, description="Hours after which a snapshot that nobody goes on uploading is given up"
    )
    alerts_days: float = Field(
        default=90, gt=0, description="Days that alerts are kept after the last word of them"
    )
    decisions_days: float = Field(
        default=400, gt=0, description="Days that decisions about pods that leak are kept"
    )
    events_days: float = Field(default=30, gt=0, description="Days that events of sidecars are kept")
    max_events: int = Field(
        default=1_000_000, ge=1, description="Events of sidecars that are kept, the newest"
    )
    commands_days: float = Field(default=7, gt=0, description="Days that commands for sidecars are kept")
    upkeep_seconds: float = Field(
        default=60, gt=0, description="Seconds between two rounds of upkeep (partitions, rollups, retention)"
    )

    def days(self, keep: Keep) -> float:
        """Of the tables that are kept so long."""
        return float(getattr(self, _KEPT_BY[keep]))


_KEPT_BY: Final = {
    "samples": "samples_days",
    "1m": "minutes_days",
    "10m": "ten_minutes_days",
    "1h": "hours_days",
    "1d": "days_days",
    "profiles": "profiles_days",
    "ledger": "ledger_days",
}


class Reviews(_Model):
    """Who may what. Without `kubernetes` one token is for all."""

    kubernetes: bool = Field(
        default=False,
        description="Ask the cluster who calls (TokenReview) and what he may (SubjectAccessReview)",
    )
    audience: str = Field(
        default=AUDIENCE,
        min_length=1,
        max_length=256,
        description="What callers' tokens must be for",
    )
    kubernetes_api: str = Field(
        default="", description="URL of the API server; without it as Kubernetes tells a pod"
    )
    kubernetes_ca_file: Path | None = Field(default=None, description="CA of that API server, PEM")
    kubernetes_token_file: Path | None = Field(
        default=None, description="Our own token for that API server; read at each request"
    )
    token_seconds: float = Field(
        default=60, gt=0, le=600, description="How long a token or a right is known before it is asked again"
    )
    refusal_seconds: float = Field(default=10, ge=0, le=600, description="…and how long a no")
    away_seconds: float = Field(
        default=900, ge=0, le=86_400, description="How long a right goes on while the API server is away"
    )
    max_cached_tokens: int = Field(default=20_000, ge=1, description="Tokens that are known at a time")
    max_cached_rights: int = Field(default=20_000, ge=1, description="Rights that are known at a time")
    open_metrics: bool = Field(default=False, description="Answer /metrics without a token")


class Kubelets(_Model):
    """Containers that no sidecar watches: their memory as the kubelets tell it."""

    kubelet_seconds: float = Field(
        default=0,
        ge=0,
        le=3600,
        description="Seconds between two readings of the kubelets for selected pods without a sidecar, 0 for none",
    )


class Tls(_Model):
    """How the doors are closed to who listens in."""

    tls_cert_file: Path | None = Field(
        default=None, description="Certificate chain of the doors, PEM; read again when it changes"
    )
    tls_key_file: Path | None = Field(default=None, description="Its key, PEM, not encrypted")
    trust_file: Path | None = Field(
        default=None,
        description=f"PEM bundle of the CAs that our certificates are and will be by, served at {TRUST_PATH}",
    )

    @model_validator(mode="after")
    def _both(self) -> "Tls":
        if (self.tls_cert_file is None) is not (self.tls_key_file is None):
            raise ValueError("--tls-cert-file and --tls-key-file belong together; give both")
        return self


class Own(_Model):
    """What the collector tells of itself. Metrics and traces over OTLP: see OTEL_EXPORTER_OTLP_ENDPOINT."""

    slow_query_seconds: float = Field(
        default=1.0,
        ge=0,
        description="A reader's query that takes longer is logged with its plan; 0 for none",
    )


class Settings(_Model):
    """All of the collector's settings."""

    database_url: SecretStr = Field(
        description="PostgreSQL 15 or newer: a URL or key=value words, as libpq reads it"
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on; loopback unless said otherwise")
    port: int = Field(DEFAULT_PORT, ge=0, le=65_535, description="Port to listen on; 0 takes a free one")
    grpc_listen: tuple[str, int] | None = Field(
        default=("127.0.0.1", DEFAULT_GRPC_PORT),
        description="HOST:PORT for OTLP over gRPC; port 0 takes a free one, off opens none",
    )
    snapshot_folder: Path | None = Field(
        default=None, description="Folder for snapshots that sidecars upload; none are taken without it"
    )
    port_file: Path | None = Field(
        default=None, description="File that gets the URL, whole, once the collector is ready"
    )
    log_level: LogLevel = Field(default="info", description="What is logged to standard error")
    token: SecretStr | None = Field(
        default=None, description="Bearer token for everything but /healthz, /readyz and /startupz"
    )
    access: Reviews = Reviews()
    tls: Tls = Tls()
    kubelets: Kubelets = Kubelets()
    limits: Limits = Limits()
    analysis: Analysis = Analysis()
    retention: Retention = Retention()
    own: Own = Own()

    @field_validator("token")
    @classmethod
    def _token_is_usable(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None or not token.get_secret_value():
            return None
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{1,512}", token.get_secret_value()):
            raise ValueError(f"{ENV_TOKEN} holds characters that a bearer token can't have")
        return token

    @model_validator(mode="after")
    def _one_way_of_access(self) -> "Settings":
        if self.access.kubernetes and self.token is not None:
            raise ValueError(
                f"--kubernetes asks the cluster who may; unset {ENV_TOKEN}, which would open everything"
            )
        return self

    @model_validator(mode="after")
    def _kubelets_are_of_a_cluster(self) -> "Settings":
        if self.kubelets.kubelet_seconds and not self.access.kubernetes:
            raise ValueError("--kubelet-seconds reads kubelets by the API server; give --kubernetes, too")
        return self

    @model_validator(mode="after")
    def _ledger_outlives_samples(self) -> "Settings":
        """A batch that comes again must be known for as long as its samples would be taken."""
        taken = self.limits.max_sample_age_seconds / 86_400
        if self.retention.ledger_days < taken + 1:
            raise ValueError(
                f"ledger_days={self.retention.ledger_days:g} must be at least a day more than"
                f" max_sample_age_seconds={self.limits.max_sample_age_seconds:g} ({taken:g} days)"
            )
        return self

    def printable(self) -> str:
        """JSON without secrets; a password inside the database URL is hidden, the rest of it is shown."""
        shown = self.model_dump(mode="json")
        shown["database_url"] = hide_password(self.database_url.get_secret_value())
        shown["token"] = "set" if self.token else None
        return json.dumps(shown, indent=2)


def hide_password(url: str) -> str:
    """The same URL or words with *** for a password."""
    url = re.sub(r"(?<=://)([^:/@?#]*):[^@/]*@", r"\1:***@", url)
    return re.sub(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", r"\1***", url, flags=re.IGNORECASE)
