"""The history of alerts: what Alertmanager posts to `/api/v1/alerts`, and what is read there.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config: fields that are not known here are left out.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from memwarden_api.cluster import Moment, Name, ShortText, Text, storable
from memwarden_api.report import Model

LongText = Annotated[str, Field(max_length=16_384), AfterValidator(storable)]
_NEVER: Final = 1970
"""Alertmanager writes the year 1 for an end that has not come."""


class _Posted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class PostedAlert(_Posted):
    """One alert of a message."""

    status: Literal["firing", "resolved"]
    fingerprint: Name
    labels: dict[Name, Text] = Field(max_length=64)
    annotations: dict[Name, LongText] = Field(default_factory=dict, max_length=64)
    starts_at: Moment
    ends_at: Moment | None = None

    @field_validator("ends_at", mode="before")
    @classmethod
    def _not_yet(cls, value: object) -> object:
        return None if isinstance(value, str) and value[:4] < str(_NEVER) else value


class AlertMessage(_Posted):
    """What Alertmanager posts to a webhook, version 4. `POST /api/v1/alerts`: the same again changes nothing."""

    receiver: ShortText = ""
    alerts: tuple[PostedAlert, ...] = Field(max_length=1000)


class Silence(Model):
    """One of Alertmanager's that holds an alert back: somebody knows of it."""

    id: ShortText
    created_by: ShortText
    comment: Text
    ends_at: Moment


class CurrentAlert(Model):
    """An alert as Alertmanager has it now."""

    fingerprint: Name
    starts_at: Moment
    labels: dict[Name, Text] = Field(max_length=64)
    annotations: dict[Name, LongText] = Field(default_factory=dict, max_length=64)
    silences: tuple[Silence, ...] = Field((), max_length=16)


class CurrentAlerts(Model):
    """All that fire. `PUT /api/v1/alerts/current`: what was silenced stands in the history, too, and by whom."""

    items: tuple[CurrentAlert, ...] = Field(max_length=1000)
    complete: bool = Field(
        description="There are no more: what is known to fire and is not among them is over"
    )


class Alert(Model):
    """One time that an alert fired."""

    id: str
    fingerprint: str = Field(
        description="Alertmanager's name for the alert's labels: the same each time it fires"
    )
    status: Literal["firing", "resolved"]
    name: str
    namespace: str = Field(description="Of what is watched")
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime | None = Field(description="null while it fires")
    receivers: tuple[str, ...] = Field(
        description="Whose messages were posted here, as Alertmanager calls them"
    )
    silences: tuple[Silence, ...] = Field(
        (), description="What holds it back in Alertmanager, or did when it ended; empty: nothing is known to"
    )
    first_posted_at: datetime
    last_posted_at: datetime


class AlertPage(Model):
    items: tuple[Alert, ...]
    next_cursor: str | None = None
