"""Names that leave a process: metrics, attributes, headers, environment variables, exit codes.

OpenTelemetry's semantic conventions are used where one exists; the rest is `memwarden.*`. Nothing else may
spell these strings: what is renamed here is renamed everywhere. Standard library only.
"""

from typing import Final

# ── Resource attributes ──────────────────────────────────────────────────────────────────────────────────
# A *scope* is what gets one verdict: a run on a laptop, a container in a cluster. A resource that has
# `process.pid` describes one process of its scope, a resource without it describes the scope as a whole.
SCOPE_ID: Final = "memwarden.scope.id"
SCOPE_KIND: Final = "memwarden.scope.kind"
SCOPE_KIND_RUN: Final = "run"
SCOPE_KIND_CONTAINER: Final = "container"
SAMPLE_INTERVAL: Final = "memwarden.sample.interval"  # seconds between two samples (double)
SERVICE_NAME: Final = "service.name"
HOST_NAME: Final = "host.name"
# Of a container's scope; the rest of what $OTEL_RESOURCE_ATTRIBUTES says (owner, node, version) goes with them.
K8S_NAMESPACE: Final = "k8s.namespace.name"
K8S_POD: Final = "k8s.pod.name"
K8S_POD_UID: Final = "k8s.pod.uid"
K8S_CONTAINER: Final = "k8s.container.name"
K8S_OWNERS: Final = (  # the workload, the most telling first
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
    "k8s.replicaset.name",
)
SOURCE: Final = "memwarden.source"  # who measured, where it was no sidecar
SOURCE_KUBELET: Final = "kubelet"
PROCESS_PID: Final = "process.pid"
PROCESS_PARENT_PID: Final = "process.parent_pid"
PROCESS_CREATION_TIME: Final = "process.creation.time"  # Unix seconds (double)
PROCESS_COMMAND_LINE: Final = "process.command_line"
PROCESS_EXECUTABLE_PATH: Final = "process.executable.path"
PROCESS_RUNTIME_NAME: Final = "process.runtime.name"
PROCESS_RUNTIME_VERSION: Final = "process.runtime.version"
PROCESS_ENDED: Final = "memwarden.process.ended"  # Unix seconds (double): when its end was noticed
PROBE_STATE: Final = "memwarden.probe.state"
PROBE_STATE_HOOKED: Final = "hooked"  # allocation sites are known
PROBE_STATE_OUTSIDE: Final = "outside"  # watched from outside only; PROBE_REASON says why
PROBE_REASON: Final = "memwarden.probe.reason"  # also: why sampling is thinner than was asked for
PROBE_SWITCHED_OFF: Final = "the probe switched itself off"  # how such a reason begins
CODE_LIBRARY_PREFIXES: Final = (
    "memwarden.code.library_prefixes"  # array: folders whose code is not the user's
)

# ── Metrics of a scope ───────────────────────────────────────────────────────────────────────────────────
MEMORY_ANON: Final = "memwarden.memory.anon"  # By, gauge: anonymous + shared memory, shared pages once
MEMORY_LIMIT: Final = "memwarden.memory.limit"  # By, gauge
LIMIT_SOURCE: Final = "memwarden.limit.source"  # attribute of MEMORY_LIMIT: "option", "cgroup", "available"
MEMORY_AVAILABLE: Final = "memwarden.memory.available"  # By, gauge: what the machine or cgroup has left
CPU_TIME: Final = "memwarden.cpu.time"  # s, cumulative over all processes of the scope
MEMORY_OOM_EVENTS: Final = (
    "memwarden.memory.oom_events"  # {event}, cumulative: kills for want of memory (kubelet)
)
PROCESS_COUNT: Final = "memwarden.process.count"  # {process}, gauge

# ── Metrics of a process ─────────────────────────────────────────────────────────────────────────────────
PROCESS_MEMORY_USAGE: Final = "process.memory.usage"  # By: resident set size
PROCESS_MEMORY_ANON: Final = "memwarden.process.memory.anon"  # By: its share of the scope's MEMORY_ANON
PROCESS_CPU_TIME: Final = "process.cpu.time"  # s, cumulative
PROCESS_THREAD_COUNT: Final = "process.thread.count"
PROCESS_FD_COUNT: Final = "process.unix.file_descriptor.count"
HEAP_LIVE: Final = "memwarden.heap.live"  # By: estimate from the live samples
HEAP_ALLOCATED: Final = "memwarden.heap.allocated"  # By, cumulative: all that was ever asked for
HEAP_SAMPLES: Final = "memwarden.heap.samples"  # {sample}: live samples
HEAP_SAMPLING_INTERVAL: Final = "memwarden.heap.sampling_interval"  # By: mean bytes between two samples
GC_COLLECTIONS: Final = "cpython.gc.collections"
GC_GENERATION: Final = "cpython.gc.generation"  # attribute of GC_COLLECTIONS
PROBE_CPU_TIME: Final = "memwarden.probe.cpu.time"  # s, cumulative: what the probe itself cost the process
PROBE_SILENCE: Final = "memwarden.probe.silence"  # s: since the process last allocated (its last tick)
OBJECTS_COUNT: Final = "memwarden.objects.count"  # {object}: census, live objects of a type
OBJECTS_SIZE: Final = "memwarden.objects.size"  # By: census, shallow size
OBJECT_TYPE: Final = "memwarden.object.type"  # attribute of OBJECTS_*
CACHE_ENTRIES: Final = "memwarden.cache.entries"  # {entry}: census, of what may have a bound
CACHE_BOUND: Final = "memwarden.cache.bound"  # {entry}: no point where there is none
CACHE_BOUND_BYTES: Final = "memwarden.cache.bound.bytes"  # By: where the code bounds what its entries take
CACHE_BOUND_AGE: Final = "memwarden.cache.bound.age"  # s: where the code bounds how old its entries become
CACHE_HITS: Final = "memwarden.cache.hits"  # {hit}: as the cache itself counts; it may be cleared
CACHE_MISSES: Final = "memwarden.cache.misses"  # {miss}
CACHE_KIND: Final = "memwarden.cache.kind"  # attribute of CACHE_*: "lru_cache", "deque" or a type's name
CACHE_NAME: Final = "memwarden.cache.name"  # attribute of CACHE_*: function or variable
CACHE_ID: Final = "memwarden.cache.id"  # attribute of CACHE_*: stays as it is from census to census
CODE_FILE: Final = "code.file.path"  # attribute of CACHE_*: of a cached function
CODE_LINE: Final = "code.line.number"  # attribute of CACHE_*: its first line
CONTAINER_ENTRIES: Final = "memwarden.container.entries"  # {entry}: census
CONTAINER_TYPE: Final = "memwarden.container.type"  # attribute of CONTAINER_ENTRIES
CONTAINER_NAME: Final = "memwarden.container.name"  # of CONTAINER_ENTRIES: the variable
CONTAINER_ID: Final = "memwarden.container.id"  # attribute of CONTAINER_ENTRIES

# ── Profiles (OTLP v1development): one request holds, per process and moment, three Profiles on one dictionary
PROFILE_SPACE: Final = "inuse_space"  # unit bytes: estimated live bytes
PROFILE_BLOCKS: Final = "inuse_objects"  # unit count: estimated live blocks (not Python objects)
PROFILE_SAMPLES: Final = "inuse_samples"  # unit count: live samples behind the estimates
PROFILE_TYPES: Final = (PROFILE_SPACE, PROFILE_BLOCKS, PROFILE_SAMPLES)
# A sample of a Profile is (stack, age bucket): this attribute is the bucket's upper bound in seconds, "inf" last.
PROFILE_AGE: Final = "memwarden.age.upper_seconds"
AGE_BOUNDS_SECONDS: Final = (1, 2, 5, 10, 30, 60, 300, 900, 3600)  # ten buckets, the last without a bound

# ── Logs: what of them is kept ───────────────────────────────────────────────────────────────────────────
EVENT_NAME: Final = "event.name"  # attribute of a log record, where the record's own field for it is empty
EVENT_PREFIX: Final = "memwarden."  # events with such a name, of a scope, are kept
# A chunk of a snapshot is a log record whose body is bytes: all chunks but the last have one size.
SNAPSHOT_ID: Final = "memwarden.snapshot.id"  # UUIDv7, the same for all chunks
SNAPSHOT_KIND: Final = "memwarden.snapshot.kind"  # what the bytes are
SNAPSHOT_SIZE: Final = "memwarden.snapshot.size"  # By, of the whole
SNAPSHOT_SHA256: Final = "memwarden.snapshot.sha256"  # of the whole, in hexadecimal
SNAPSHOT_CHUNKS: Final = "memwarden.snapshot.chunks"  # how many there are
SNAPSHOT_CHUNK: Final = "memwarden.snapshot.chunk"  # which one this is, from 0 on
SNAPSHOT_CHUNK_SHA256: Final = "memwarden.snapshot.chunk_sha256"  # of this one, in hexadecimal

# ── Series of verdicts at /metrics, labelled namespace, profile, kind, workload, container ───────────────────────────
PROMETHEUS_LEAK_ACTIVE: Final = "memwarden_leak_active"
PROMETHEUS_CONFIDENCE: Final = "memwarden_verdict_confidence_ratio"
PROMETHEUS_GROWTH: Final = "memwarden_growth_bytes_per_second"
PROMETHEUS_FORECAST: Final = "memwarden_oom_forecast_seconds"  # with the label quantile
PROMETHEUS_USAGE: Final = "memwarden_memory_usage_ratio"
PROMETHEUS_VERDICT: Final = "memwarden_workload_verdict"  # 1, with the label verdict
PROMETHEUS_PROFILE_PODS: Final = "memwarden_profile_pods"  # labelled namespace, profile, state
PROMETHEUS_LEFT_OUT: Final = "memwarden_workloads_left_out"  # of these series, without labels

# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────
METRICS_PATH: Final = "/v1/metrics"
LOGS_PATH: Final = "/v1/logs"
PROFILES_PATH: Final = "/v1development/profiles"
COMMANDS_PATH: Final = "/api/v1/commands"
BATCH_ID_HEADER: Final = "memwarden-batch-id"  # UUIDv7, made once: a batch sent twice counts once

TRUST_PATH: Final = (
    "/api/v1/trust"  # the PEM bundle that the collector's certificates will be by; no token needed
)

# ── Environment ──────────────────────────────────────────────────────────────────────────────────────────
ENV_SOCKET: Final = "MEMWARDEN_SOCKET"  # Unix socket of the sidecar; unset: the probe does nothing
ENV_DISABLE: Final = "MEMWARDEN_DISABLE"  # "1": no probe in this process and its children
ENV_SAMPLING_BYTES: Final = "MEMWARDEN_SAMPLING_BYTES"
ENV_CPU_BUDGET: Final = (
    "MEMWARDEN_CPU_BUDGET"  # the probe's share of the process's CPU time: percent, or "off"
)
ENV_CONTAINER: Final = (
    "MEMWARDEN_CONTAINER"  # in a container: its name; the probe hands over /proc and cgroup
)
# In a container, for the loader that LD_PRELOAD names: the folder to put in front of PYTHONPATH.
ENV_PRELOAD_PYTHONPATH: Final = "MEMWARDEN_PRELOAD_PYTHONPATH"
ENV_RESOURCE: Final = "OTEL_RESOURCE_ATTRIBUTES"  # which pod it is (sidecar with --listen)
ENV_SERVICE: Final = "OTEL_SERVICE_NAME"
ENV_TOKEN: Final = "MEMWARDEN_TOKEN"  # noqa: S105 - the variable's name; bearer token between sidecar and collector

# ── Exit codes of `memwarden run` beside the app's own ───────────────────────────────────────────────────
EXIT_LEAK: Final = 86  # a condition of --fail-on or --max-growth is met, the app ended with 0
EXIT_FAILED: Final = 125  # Memwarden could not start or could not write what was asked for
EXIT_NOT_EXECUTABLE: Final = 126
EXIT_NOT_FOUND: Final = 127
EXIT_SIGNAL_BASE: Final = 128  # the app was ended by signal N: 128 + N

# ── Kubernetes: kinds, labels, annotations ───────────────────────────────────────────────────────────────
GROUP: Final = "memwarden.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND_PROFILE: Final = "MemoryProfile"
PLURAL_PROFILE: Final = "memoryprofiles"
KIND_ALERT_POLICY: Final = "MemoryAlertPolicy"
PLURAL_ALERT_POLICY: Final = "memoryalertpolicies"
KIND_SNAPSHOT: Final = "HeapSnapshot"
PLURAL_SNAPSHOT: Final = "heapsnapshots"
INJECT: Final = "memwarden.dev/inject"  # "true", "false": annotation or label of a pod, label of a namespace
PROFILE: Final = "memwarden.dev/profile"  # annotation of a pod: which profile, where several match
RUNTIME: Final = "memwarden.dev/runtime"  # annotation of a pod, over the profile's
CONTAINERS: Final = "memwarden.dev/containers"  # annotation of a pod, over the profile's: app,worker
INJECTED: Final = "memwarden.dev/injected"  # label, ours: the profile that was applied
INJECTION: Final = "memwarden.dev/injection"  # annotation, ours: version and hash of what was done to the pod
RESTARTED: Final = (
    "memwarden.dev/restarted"  # annotation of a pod template, ours: by which decision it was restarted
)
ALERTS: Final = "memwarden.dev/alerts"  # label, ours, of what a MemoryAlertPolicy becomes: rules, routes
TRUST: Final = "memwarden.dev/trust"  # annotation, ours: PEM of who may sign the collector's certificate
AUDIENCE: Final = "memwarden-collector"  # of the service account tokens that the collector takes

# ── What a pod is given: names in its spec, and where things are in its containers ───────────────────────
CONTAINER_PROBES: Final = "memwarden-probes"  # volume of the probes; once an init container, too
CONTAINER_SIDECAR: Final = "memwarden"  # native sidecar, and the volume of sockets and spool
CONTAINERS_IMAGE: Final = tuple(f"memwarden-image-{number}" for number in range(1, 33))
"""Init containers of the app's own images, one an image, which say what their image preloads."""
OUR_CONTAINERS: Final = frozenset((CONTAINER_PROBES, CONTAINER_SIDECAR, *CONTAINERS_IMAGE))
VOLUME_TOKEN: Final = "memwarden-token"  # noqa: S105 - a volume's name
PROBES_FOLDER: Final = "/opt/memwarden"
SOCKET_FOLDER: Final = "/run/memwarden"
TOKEN_FOLDER: Final = "/var/run/secrets/memwarden"  # noqa: S105 - a folder's name
ENV_PRELOAD: Final = "LD_PRELOAD"

# ── How a scope is to be judged, where its profile says so (resource attributes) ─────────────────────────
DETECTION_SENSITIVITY: Final = "memwarden.detection.sensitivity"
SENSITIVITIES: Final = ("low", "normal", "high")
DETECTION_WARM_UP: Final = "memwarden.detection.warm_up_seconds"
PROFILE_NAME: Final = "memwarden.profile.name"
K8S_POD_TEMPLATE_HASH: Final = "k8s.pod.label.pod-template-hash"

# ── Why a pod is not injected: reason of an event, of a metric, and in a profile's status ────────────────
SKIP_NO_PROFILE: Final = "NoProfile"
SKIP_PROFILE_NOT_FOUND: Final = "ProfileNotFound"
SKIP_SEVERAL_PROFILES: Final = "SeveralProfiles"
SKIP_NOT_ASKED_FOR: Final = "NotAskedFor"  # nobody wants it: not told
SKIP_OPTED_OUT: Final = "OptedOut"
SKIP_INJECTION_OFF: Final = "InjectionOff"
SKIP_INJECTION_STOPPED: Final = "InjectionStopped"
SKIP_NAMESPACE_EXCLUDED: Final = "NamespaceExcluded"
SKIP_HOST_NETWORK: Final = "HostNetwork"
SKIP_WINDOWS: Final = "Windows"
SKIP_NO_CONTAINER: Final = "NoContainer"
SKIP_CONTAINER_TOO_SMALL: Final = "ContainerTooSmall"
SKIP_NO_MATCHING_RUNTIME: Final = "NoMatchingRuntime"
SKIP_VALUE_FROM: Final = "VariableFromSource"
SKIP_OTHER_PROFILER: Final = "OtherProfiler"
SKIP_NAME_TAKEN: Final = "NameTaken"
SKIP_PATH_TAKEN: Final = "PathTaken"
SKIP_NAMESPACE_LIMITS: Final = "NamespaceLimits"
SKIP_POD_TOO_LARGE: Final = "PodTooLarge"
# … and of pods that the injector has not seen, as the controller finds them:
MISSED_NAMESPACE_NOT_LABELLED: Final = "NamespaceNotLabelled"
MISSED_NOT_SEEN: Final = "NotSeenByInjector"
MISSED_OLDER_THAN_PROFILE: Final = "OlderThanProfile"

# ── Conditions of a MemoryProfile ────────────────────────────────────────────────────────────────────────
CONDITION_READY: Final = "Ready"
CONDITION_RECONCILING: Final = "Reconciling"
CONDITION_STALLED: Final = "Stalled"
CONDITION_INJECTED: Final = "Injected"
CONDITION_COLLECTING: Final = "Collecting"
CONDITION_LEAK_FREE: Final = "LeakFree"
CONDITION_RULES_ACCEPTED: Final = "RulesAccepted"  # of a MemoryAlertPolicy, as the next
CONDITION_ROUTES_ACCEPTED: Final = "RoutesAccepted"
REASON_LOADED: Final = "Loaded"
REASON_NOT_LOADED: Final = "NotLoaded"
REASON_NOT_SELECTED: Final = "NotSelected"
REASON_CONFIGURATION_REFUSED: Final = "ConfigurationRefused"
REASON_LEFT_OUT: Final = "LeftOut"
REASON_RULES_FAIL: Final = "RulesFail"
REASON_NO_SUCH_RECEIVER: Final = "NoSuchReceiver"
REASON_NOT_ASKED: Final = "NotAsked"
REASON_MONITORING_AWAY: Final = "MonitoringAway"
REASON_NO_PROFILE: Final = "NoProfileSelected"
REASON_NOT_WRITTEN: Final = "NotWritten"
REASON_WATCHING: Final = "Watching"
REASON_NO_POD: Final = "NoPodMatches"
REASON_PODS_MISSED: Final = "PodsMissed"
REASON_ALL_INJECTED: Final = "AllInjected"
REASON_INJECTION_STOPPED: Final = "InjectionStoppedByBreaker"
REASON_SIDECARS_REPORT: Final = "SidecarsReport"
REASON_NO_SIDECAR_REACHED: Final = "NoSidecarReached"
REASON_COLLECTOR_AWAY: Final = "CollectorAway"
REASON_LEAKS_FOUND: Final = "LeaksFound"
REASON_NO_LEAK: Final = "NoLeakFound"
REASON_NOT_JUDGED: Final = "NotJudgedYet"

# ── Events ───────────────────────────────────────────────────────────────────────────────────────────────
EVENT_SKIPPED: Final = "MemwardenSkipped"  # injector, on the pod's owner: the message begins with the reason
EVENT_LEAK: Final = "MemoryLeakSuspected"
EVENT_LEAK_ENDED: Final = "MemoryLeakEnded"
EVENT_OOM_FORECAST: Final = "OutOfMemoryForecast"
EVENT_INJECTION_STOPPED: Final = "MemwardenInjectionStopped"
EVENT_POD_MISSED: Final = (
    "MemwardenPodMissed"  # controller, on a pod's owner: the message begins with the reason
)
EVENT_POD_STUCK: Final = "MemwardenPodStuck"  # on a pod that nobody makes anew
EVENT_POD_EVICTED: Final = "MemwardenPodEvicted"  # on its workload

# ── Why injection of a workload is stopped (reason in `status.injectionStopped`) ─────────────────────────
STOP_CRASHES: Final = "CrashesAfterInjection"
STOP_IMAGE: Final = "ImageNotPulled"  # one of ours; tried again after an hour
STOP_CONTAINER: Final = "ContainerNotCreated"
STOP_OURS_FAILS: Final = "OwnContainerFails"
STOP_QUOTA: Final = "QuotaFull"  # tried again after an hour
STOP_REFUSED: Final = "PodRefused"
STOP_PRELOADS: Final = "ImagePreloads"  # LD_PRELOAD of its image, or by envFrom, would be lost to ours

EVENT_REMEDIATION: Final = "MemwardenRemediation"  # on the workload: what was decided, and why

# ── Why a workload is left alone, or was not (reason of `status.remediations`) ──────────────────────
DECIDED: Final = "ConditionsHold"  # nothing forbids it
DECIDED_MISSED: Final = "PodsWereMissed"  # the same, of a rollout that brings missed pods in
REFUSED_NOT_SWITCHED_ON: Final = "NotSwitchedOn"
REFUSED_COLLECTOR: Final = "CollectorDoesNotAnswer"
REFUSED_STALE: Final = "VerdictIsOld"
REFUSED_UNSURE: Final = "VerdictIsUnsure"
REFUSED_KIND: Final = "KindIsNotRestarted"
REFUSED_INJECTION_STOPPED: Final = "WouldNotBeInjected"
REFUSED_INJECTOR: Final = "InjectorIsNotReady"
REFUSED_UNKNOWN_STATE: Final = "WorkloadNotKnown"
REFUSED_ROLLOUT: Final = "RolloutInProgress"
REFUSED_POD_LEAVING: Final = "PodIsOnItsWay"
REFUSED_TOO_FEW: Final = "TooFewReady"
REFUSED_WINDOW: Final = "OutsideWindow"
REFUSED_BREAKER: Final = "LeakComesBack"
REFUSED_COOLDOWN: Final = "Cooldown"
REFUSED_BUDGET: Final = "WorkloadBudgetSpent"
REFUSED_CLUSTER_BUDGET: Final = "ClusterBudgetSpent"
REFUSED_DISRUPTION_BUDGET: Final = "DisruptionBudget"
REFUSED_BY_SERVER: Final = "EvictionFails"
REFUSED_NO_RIGHT: Final = "NoRight"
REFUSED_NO_LONGER: Final = "NoLongerAsked"
REFUSED_EVIDENCE: Final = "EvidenceNotToBeHad"
REFUSED_STRATEGY: Final = "PodsAreNotMadeAnew"  # by the workload's own update strategy
REFUSED_TEMPLATE: Final = "TemplateIsNotInjected"
REFUSED_NO_HELP: Final = "RolloutDidNotHelp"  # pods came back from it without Memwarden

# ── How far a HeapSnapshot is, and why it can't be had (reason of its status and of its condition Ready) ───
CAPTURED: Final = "Captured"
CAPTURE_GOES_ON: Final = "InProgress"
CAPTURE_NO_COLLECTOR: Final = "WaitsForCollector"
CAPTURE_POD_NOT_FOUND: Final = "PodNotFound"
CAPTURE_NO_POD: Final = "NoPodRuns"  # of the workload
CAPTURE_NOT_RUNNING: Final = "PodNotRunning"
CAPTURE_NOT_INJECTED: Final = "PodNotInjected"
CAPTURE_CONTAINER_UNCLEAR: Final = "NameTheContainer"
CAPTURE_NO_CONTAINER: Final = "NoSuchContainer"
CAPTURE_SILENT: Final = "NothingReported"
CAPTURE_NO_HEADROOM: Final = "NoHeadroom"
CAPTURE_BUDGET: Final = "PodBudgetIsSpent"
CAPTURE_NO_SPACE: Final = "NoSpaceForEvidence"
CAPTURE_TOO_LARGE: Final = "EvidenceTooLarge"
CAPTURE_NOT_DONE: Final = "SidecarCouldNot"
CAPTURE_LATE: Final = "NotInTime"
CAPTURE_UNREADABLE: Final = "SnapshotNotReadable"  # its spec
CAPTURE_NOT_TAKEN: Final = "CollectorRefusesIt"

# ── More reasons of a MemoryProfile's conditions ─────────────────────────────────────────────────────────
REASON_UP_TO_DATE: Final = "UpToDate"  # Reconciling
REASON_LOOKING: Final = "LookingForPods"
REASON_NO_OBSTACLE: Final = "NoObstacle"  # Stalled
REASON_SPEC_NOT_READABLE: Final = "SpecNotReadable"
REASON_RIGHT_MISSING: Final = "RightMissing"
REASON_INJECTION_OFF: Final = "InjectionSwitchedOff"
REASON_NONE_INJECTED: Final = "NoPodInjected"
REASON_SIDECARS_START: Final = "SidecarsStart"
REASON_SIDECARS_SILENT: Final = "SidecarsSilent"
