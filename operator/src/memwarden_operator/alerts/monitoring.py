"""The doors to Prometheus and Alertmanager: what they have loaded. Nothing is written there."""

from collections.abc import Mapping
from typing import Any, Final, Self

import aiohttp
import yaml  # type: ignore[import-untyped] # PyYAML brings no types

from memwarden_operator.alerts.acceptance import Groups

_SECONDS: Final = 10.0
_BYTES: Final = 32 << 20


class MonitoringAway(Exception):
    """It does not answer, or not as it should."""


class MonitoringDoor:
    """One session; `async with`. An address that is None is not asked."""

    def __init__(self, prometheus: str | None, alertmanager: str | None) -> None:
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
        read = await self._get(f"{self.prometheus}/api/v1/rules?type=alert")
        groups = (read.get("data") or {}).get("groups")
        if not isinstance(groups, list):
            raise MonitoringAway(f"{self.prometheus} does not answer as Prometheus does")
        return groups

    async def configuration(self) -> Mapping[str, Any]:
        """What Alertmanager runs with, its secrets left out by itself. Raises MonitoringAway."""
        read = await self._get(f"{self.alertmanager}/api/v2/status")
        try:
            found = yaml.safe_load(str((read.get("config") or {}).get("original", "")))
        except yaml.YAMLError:
            found = None
        if not isinstance(found, dict):
            raise MonitoringAway(f"{self.alertmanager} does not answer as Alertmanager does")
        return found

    async def _get(self, url: str) -> Mapping[str, Any]:
        assert self._session is not None
        try:
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            async with self._session.get(url, timeout=timeout) as response:
                if response.status != 200:
                    raise MonitoringAway(f"{url} answers HTTP {response.status}")
                if (response.content_length or 0) > _BYTES:
                    raise MonitoringAway(f"{url} answers more than {_BYTES} bytes")
                read = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise MonitoringAway(f"{url}: {str(error)[:200] or type(error).__name__}") from error
        if not isinstance(read, dict):
            raise MonitoringAway(f"{url} does not answer with an object")
        return read
