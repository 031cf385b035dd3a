"""The controller's own numbers, as Prometheus reads them. Each is described here and nowhere else."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

RECONCILES = Counter(
    "memwarden_controller_reconciles_total",
    "Reconciles of MemoryProfiles, by outcome: written, unchanged, waiting, error",
    ("outcome",),
    registry=REGISTRY,
)
RECONCILE_SECONDS = Histogram(
    "memwarden_controller_reconcile_seconds",
    "Time of one reconcile, writing included",
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60),
    registry=REGISTRY,
)
WATCH_AGE = Gauge(
    "memwarden_controller_watch_age_seconds",
    "Since a watch or loop last showed that it lives: pods, profiles, scan, reconcile, changes, facts",
    ("what",),
    registry=REGISTRY,
)
PROFILES = Gauge("memwarden_controller_profiles", "MemoryProfiles that are looked after", registry=REGISTRY)
PODS = Gauge("memwarden_controller_injected_pods", "Injected pods that are kept", registry=REGISTRY)
PODS_LEFT_OUT = Gauge(
    "memwarden_controller_pods_left_out",
    "Injected pods beyond --max-pods that are not kept",
    registry=REGISTRY,
)
ALERT_POLICIES = Gauge(
    "memwarden_controller_alert_policies",
    "MemoryAlertPolicies, by whether Prometheus and Alertmanager have taken them: Yes, No, Unknown",
    ("accepted",),
    registry=REGISTRY,
)
QUEUE = Gauge("memwarden_controller_queue", "MemoryProfiles that wait for their reconcile", registry=REGISTRY)
SCANNED = Counter(
    "memwarden_controller_scanned_pods_total", "Pods looked over for missed ones", registry=REGISTRY
)
MISSED = Gauge(
    "memwarden_controller_missed_pods",
    "Pods that should be injected and are not, by reason",
    ("reason",),
    registry=REGISTRY,
)
EVENTS = Counter(
    "memwarden_controller_events_total",
    "Events, by reason and outcome: posted, repeated (not told again), held (too many), error",
    ("reason", "outcome"),
    registry=REGISTRY,
)
DECISIONS = Counter(
    "memwarden_controller_decisions_total",
    "Decisions of the circuit breaker, by what was done: stop, evict, and by outcome or reason",
    ("decision", "outcome"),
    registry=REGISTRY,
)
REMEDIATIONS = Counter(
    "memwarden_controller_remediations_total",
    "What came of remediations that were tried, by result and reason",
    ("result", "reason"),
    registry=REGISTRY,
)
SNAPSHOTS = Gauge(
    "memwarden_controller_heap_snapshots",
    "HeapSnapshots, by phase: Pending, Capturing, Done, Refused, Failed",
    ("phase",),
    registry=REGISTRY,
)
COLLECTOR_UP = Gauge("memwarden_controller_collector_up", "1 while the collector answers", registry=REGISTRY)
COLLECTOR_ITEMS = Counter(
    "memwarden_controller_collector_items_total",
    "What the collector was told, by kind: owners, rollouts, restarts, coverage, decisions",
    ("kind",),
    registry=REGISTRY,
)
ERRORS = Counter(
    "memwarden_controller_errors_total",
    "Errors by part and kind: what the cluster or the collector did not do",
    ("part", "kind"),
    registry=REGISTRY,
)
