"""Objects of our kinds as the API server has them, read with what this version knows. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from memwarden_api.v1alpha1.fields import Object

O = TypeVar("O", bound=Object)  # noqa: E741 - an object


def metadata(about: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of it."""
    return {
        key: about[key]
        for key in ("name", "namespace", "uid", "generation", "resourceVersion", "labels")
        if key in about
    }


def understood(
    read: Callable[[dict[str, Any]], O], given: Mapping[str, Any], instead: Mapping[str, Any]
) -> tuple[O, str]:
    """The object, and what of its spec can't be read: then its spec is `instead`. A status that can't is made anew."""
    about = metadata(given["metadata"])
    whole = {"metadata": about, "spec": given.get("spec") or {}, "status": given.get("status") or {}}
    try:
        return read(whole), ""
    except ValidationError as error:
        wrong = [one for one in error.errors() if one["loc"] and one["loc"][0] != "status"]
    if not wrong:
        return read(whole | {"status": {}}), ""
    where = ".".join(str(part) for part in wrong[0]["loc"])
    text = f"{where}: {wrong[0]['msg']}; change the field, or update Memwarden where a newer version made it"
    try:
        return read(whole | {"spec": dict(instead)}), text
    except ValidationError:
        return read({"metadata": about, "spec": dict(instead), "status": {}}), text
