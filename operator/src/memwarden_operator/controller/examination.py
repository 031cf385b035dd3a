"""Why the injector would leave a whole pod alone: its own functions are asked. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from memwarden_api import names
from memwarden_operator.injector.inject import inject
from memwarden_operator.injector.installation import Installation
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.selection import select
from memwarden_operator.injector.skips import Skip

_ANY: Final = Installation(version="", sidecar_image="", collector="")
"""What is installed where decides nothing over whether a pod can be changed."""


def examined(pod: Mapping[str, Any], profile: Profile) -> tuple[str, str] | None:
    """(reason, message), or None where the injector would change it."""
    named = {**pod, "metadata": _naming(pod["metadata"], profile.name)}
    choice = select(named, "true", (replace(profile, mode="Webhook", stopped=frozenset()),))
    found = choice if isinstance(choice, Skip) else inject(named, choice, _ANY)
    return (found.reason, found.message) if isinstance(found, Skip) else None


def _naming(metadata: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """The pod as if it asked for this very profile: who counts has been decided."""
    annotations = metadata.get("annotations") or {}
    return {**metadata, "annotations": {**annotations, names.PROFILE: profile, names.INJECT: "true"}}
