"""Which of the two ways who calls is told, as the settings say."""

from typing import TYPE_CHECKING

from memwarden_collector.access.caller import Access
from memwarden_collector.access.embedded import EmbeddedToken
from memwarden_collector.clock import Clock
from memwarden_collector.errors import AccessUnusable
from memwarden_collector.settings import Reviews, Settings
from memwarden_collector.telemetry import Telemetry

if TYPE_CHECKING:
    from memwarden_kube.api import Api


def open_access(settings: Settings, clock: Clock, telemetry: Telemetry) -> Access:
    """Raises AccessUnusable. The door to Kubernetes is imported only where it is used."""
    chosen = settings.access
    if not chosen.kubernetes:
        return EmbeddedToken(settings.token.get_secret_value() if settings.token else None)
    from memwarden_collector.access.cluster import ClusterAccess

    return ClusterAccess(open_api(chosen), chosen, clock, telemetry)


def open_api(chosen: Reviews) -> "Api":
    """The API server, as the settings or the pod name it. Raises AccessUnusable."""
    from memwarden_kube.api import Api, ApiServer, in_pod
    from memwarden_kube.errors import KubeError

    try:
        if chosen.kubernetes_api:
            server = ApiServer(chosen.kubernetes_api, chosen.kubernetes_ca_file, chosen.kubernetes_token_file)
        else:
            server = in_pod()
        return Api(server, "memwarden-collector")
    except KubeError as error:
        raise AccessUnusable(f"--kubernetes: {error}") from None
