"""Receivers of a MemoryAlertPolicy: who hears of its alerts, and by which way. Secrets are named, never written."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from memwarden_api.v1alpha1.fields import Object, Rule, exactly_one

Severity = Literal["Info", "Warning", "Critical"]
PartName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)]
"""Of a rule, a receiver or a mute window: goes into labels, names and templates as it is."""
Text = Annotated[str, Field(pattern=r"^[^{}\x00-\x1f\x7f]+$", min_length=1, max_length=512)]
"""Without braces: Alertmanager reads templates in such texts."""
Url = Annotated[str, Field(pattern=r"^https?://[^\s{}]+$", min_length=1, max_length=2048)]


class SecretKey(Object):
    """One value of a Secret in the policy's namespace."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", min_length=1, max_length=253)] = (
        Field(description="Name of the Secret")
    )
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", min_length=1, max_length=253)] = Field(
        description="Key in it"
    )


class Existing(Object):
    """A receiver of Alertmanager's own configuration."""

    name: Text = Field(description="As it is called there")


class Email(Object):
    """By e-mail."""

    to: tuple[Text, ...] = Field(
        min_length=1,
        max_length=16,
        description="Addresses",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    sender: Text | None = Field(
        default=None, alias="from", description="Address of the sender; without it, Alertmanager's own"
    )
    smarthost: Annotated[str, Field(pattern=r"^[^\s:]+:[0-9]{1,5}$", max_length=261)] | None = Field(
        default=None, description="HOST:PORT of the mail server; without it, Alertmanager's own"
    )
    username: Text | None = Field(default=None, description="Who signs in there")
    password: SecretKey | None = Field(default=None, description="Where the password is")


class Slack(Object):
    """Into a channel of Slack, or of what takes the same messages."""

    url: SecretKey = Field(description="Where the URL of the incoming webhook is: whoever has it may write")
    channel: Text | None = Field(default=None, description="Channel or user; without it, the webhook's own")


class PagerDuty(Object):
    """An incident of PagerDuty's Events API v2."""

    routing_key: SecretKey = Field(description="Where the integration's key is")


class Webhook(Object):
    """JSON to a URL: gateways to SMS and chats, or the collector, which keeps the history."""

    url: Url | None = Field(default=None, description="Where to, if anybody may know it")
    url_from: SecretKey | None = Field(
        default=None, description="Where the URL is, if not everybody may know it"
    )
    bearer_token: SecretKey | None = Field(default=None, description="Where a token is that goes with it")
    certificate_authority: SecretKey | None = Field(
        default=None, description="Where the PEM certificates are that the server's is checked against"
    )

    rules: ClassVar = (
        Rule(
            "has(self.url) != has(self.urlFrom)",
            "either url or urlFrom must be given",
            lambda self: (self.url is None) != (self.url_from is None),
        ),
    )


class Receiver(Object):
    """Who hears of alerts."""

    name: PartName = Field(description="By which the policy's objects name it")
    severities: tuple[Severity, ...] = Field(
        default=(),
        max_length=3,
        description="Only alerts of these. Empty: of all",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    send_resolved: bool = Field(default=True, description="Tell also when an alert is over")
    existing: Existing | None = Field(
        default=None, description="A receiver that stands in Alertmanager's own configuration"
    )
    email: Email | None = Field(default=None, description="By e-mail")
    slack: Slack | None = Field(default=None, description="Into a channel of Slack")
    pager_duty: PagerDuty | None = Field(default=None, description="An incident of PagerDuty")
    webhook: Webhook | None = Field(default=None, description="JSON to a URL, such as a gateway to SMS")

    rules: ClassVar = (exactly_one("existing", "email", "slack", "pager_duty", "webhook"),)
