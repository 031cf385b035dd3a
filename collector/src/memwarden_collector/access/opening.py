"""Which of the two ways who calls is told, as the settings say."""

from memwarden_collector.access.caller import Access
from memwarden_collector.access.embedded import EmbeddedToken
from memwarden_collector.clock import Clock
from memwarden_collector.errors import AccessUnusable
from memwarden_collector.settings import Settings
from memwarden_collector.telemetry import Telemetry


def open_access(settings: Settings, clock: Clock, telemetry: Telemetry) -> Access:
    """Raises AccessUnusable. The door to Kubernetes is imported only where it is used."""
    chosen = settings.access
    if not chosen.kubernetes:
        return EmbeddedToken(settings.token.get_secret_value() if settings.token else None)
    from memwarden_collector.access.cluster import ClusterAccess
    from memwarden_kube.api import Api, ApiServer, in_pod
    from memwarden_kube.errors import KubeError

    try:
        if chosen.kubernetes_api:
            server = ApiServer(chosen.kubernetes_api, chosen.kubernetes_ca_file, chosen.kubernetes_token_file)
        else:
            server = in_pod()
        return ClusterAccess(Api(server, "memwarden-collector"), chosen, clock, telemetry)
    except KubeError as error:
        raise AccessUnusable(f"--kubernetes: {error}") from None
