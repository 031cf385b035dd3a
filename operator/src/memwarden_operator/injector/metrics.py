"""The injector's own metrics, for Prometheus. docs/reference/metrics.md is made from this file."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from memwarden_operator.injector.certificate_file import CertificateFile
from memwarden_operator.injector.events import Events
from memwarden_operator.injector.knowledge import Knowledge
from memwarden_operator.injector.review import OUTCOMES, Answer
from memwarden_operator.injector.skips import REASONS

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0)


class Metrics:
    """Counted as reviews are answered; the rest is read when asked for."""

    def __init__(self, knowledge: Knowledge, events: Events, certificate: CertificateFile) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        reviews = Counter(
            "memwarden_injector_reviews", "Reviews answered", ["outcome"], registry=self._registry
        )
        skips = Counter(
            "memwarden_injector_skips",
            "Pods and containers that were left alone",
            ["reason"],
            registry=self._registry,
        )
        # Looking a child up by its labels costs more than counting.
        self._reviews = {outcome: reviews.labels(outcome) for outcome in OUTCOMES}
        self._skips = {reason: skips.labels(reason) for reason in REASONS}
        self._seconds = Histogram(
            "memwarden_injector_review_seconds",
            "Time to answer a review, without the network",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(_State(knowledge, events, certificate))

    def count(self, answer: Answer, seconds: float) -> None:
        self._reviews[answer.outcome].inc()
        self._seconds.observe(seconds)
        for skip in answer.skips:
            self._skips[skip.reason].inc()

    def count_malformed(self, outcome: str) -> None:
        self._reviews[outcome].inc()

    def written(self) -> bytes:
        return generate_latest(self._registry)


class _State(Collector):
    def __init__(self, knowledge: Knowledge, events: Events, certificate: CertificateFile) -> None:
        self._knowledge, self._events, self._certificate = knowledge, events, certificate

    def collect(self) -> Iterator[GaugeMetricFamily]:
        expiry = "memwarden_injector_certificate_expiry_timestamp_seconds"
        yield GaugeMetricFamily(
            expiry, "When the certificate that is served expires", value=self._certificate.expires_at
        )
        age = GaugeMetricFamily(
            "memwarden_injector_watch_age_seconds",
            "Since the API server last said anything of a kind; a bookmark comes every minute",
            labels=["resource"],
        )
        synced = GaugeMetricFamily(
            "memwarden_injector_watch_synced", "Whether a kind has been listed once", labels=["resource"]
        )
        for resource, watch in self._knowledge.watches.items():
            age.add_metric([resource], watch.age_seconds())
            synced.add_metric([resource], float(watch.is_synced))
        yield age
        yield synced
        yield GaugeMetricFamily(
            "memwarden_injector_profiles",
            "MemoryProfiles that are known",
            value=len(self._knowledge.profiles),
        )
        yield GaugeMetricFamily(
            "memwarden_injector_events_dropped",
            "Events that could not be posted since the start",
            value=self._events.dropped,
        )
