"""The doors to Prometheus and Alertmanager: what they have loaded. Nothing is written there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp
import yaml  # type: ignore[import-untyped] # PyYAML brings no types
from yarl import URL

from memwarden_operator.alerts import credentials
from memwarden_operator.alerts.acceptance import Groups
from memwarden_operator.alerts.rules import POLICY

_SECONDS: Final = 10.0
_BYTES: Final = 32 << 20


class MonitoringAway(Exception):
    """It does not answer, or not as it should."""


class MonitoringDoor:
    """One session; `async with`. An address that is None is not asked. Credentials are folders: `credentials`."""

    def __init__(
        self,
        prometheus: str | None,
        alertmanager: str | None,
        prometheus_credentials: Path | None = None,
        alertmanager_credentials: Path | None = None,
    ) -> None:
        self._credentials = {prometheus: prometheus_credentials, alertmanager: alertmanager_credentials}
        self.prometheus = prometheus
        self.alertmanager = alertmanager
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"User-Agent": "memwarden-controller"})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def groups(self) -> Groups:
        """Prometheus's groups of alerting rules. Raises MonitoringAway."""
        read = await self._get(self.prometheus, "/api/v1/rules?type=alert")
        groups = (read.get("data") or {}).get("groups")
        if not isinstance(groups, list):
            raise MonitoringAway(f"{self.prometheus} does not answer as Prometheus does")
        return groups

    async def refuses(self) -> str:
        """Of when the configuration is that Prometheus keeps, as it can't load the new one; "" where it could. Raises
        MonitoringAway.
        """
        read = await self._get(self.prometheus, "/api/v1/status/runtimeinfo")
        about = read.get("data") or {}
        return str(about.get("lastConfigTime", "")) if about.get("reloadConfigSuccess") is False else ""

    async def current(self) -> tuple[list[Any], list[Any]]:
        """Alerts of our policies as Alertmanager has them, and all silences. Raises MonitoringAway."""
        ours = quote(f'{POLICY}=~".+"', safe="")
        alerts = await self._list(self.alertmanager, f"/api/v2/alerts?filter={ours}")
        return alerts, await self._list(self.alertmanager, "/api/v2/silences")

    async def configuration(self) -> Mapping[str, Any]:
        """What Alertmanager runs with, its secrets left out by itself. Raises MonitoringAway."""
        read = await self._get(self.alertmanager, "/api/v2/status")
        try:
            found = yaml.safe_load(str((read.get("config") or {}).get("original", "")))
        except yaml.YAMLError:
            found = None
        if not isinstance(found, dict):
            raise MonitoringAway(f"{self.alertmanager} does not answer as Alertmanager does")
        return found

    async def _get(self, address: str | None, path: str) -> Mapping[str, Any]:
        read = await self._ask(address, path)
        if not isinstance(read, dict):
            raise MonitoringAway(f"{address}{path} does not answer with an object")
        return read

    async def _list(self, address: str | None, path: str) -> list[Any]:
        read = await self._ask(address, path)
        if not isinstance(read, list):
            raise MonitoringAway(f"{address}{path} does not answer with a list")
        return read

    async def _ask(self, address: str | None, path: str) -> Any:
        assert self._session is not None
        url = f"{address}{path}"
        try:
            sent = credentials.read(self._credentials.get(address))
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            asked = self._session.get(
                URL(url, encoded=True), timeout=timeout, headers=sent.headers, ssl=sent.trust
            )
            async with asked as response:
                if response.status in (401, 403):
                    raise MonitoringAway(
                        f"{url} answers HTTP {response.status}: give credentials by prometheusSecret or "
                        "alertmanagerSecret of the chart's alerts"
                    )
                if response.status != 200:
                    raise MonitoringAway(f"{url} answers HTTP {response.status}")
                if (response.content_length or 0) > _BYTES:
                    raise MonitoringAway(f"{url} answers more than {_BYTES} bytes")
                return await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise MonitoringAway(f"{url}: {str(error)[:200] or type(error).__name__}") from error
