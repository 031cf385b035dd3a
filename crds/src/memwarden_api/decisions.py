"""What was decided about pods that leak, beyond the last ten in a profile's status: `/api/v1/decisions`."""

from pydantic import Field

from memwarden_api.cluster import Moment, Name, ShortText, Text
from memwarden_api.report import Model


class Decision(Model):
    """One of them. `POST /api/v1/decisions` with a list: one that is there already is left as it is."""

    id: Name = Field(description="Follows from what it says: told again, it is the same")
    namespace: Name
    profile: Name
    kind: Name = Field(description="Of the workload: Deployment, StatefulSet, …")
    name: Name = Field(description="Of the workload")
    pod: ShortText = Field("", description='The one that was meant; "": all of the workload\'s')
    action: Name
    result: Name = Field(description="Done, WouldDo, Refused, Blocked, Failed")
    reason: Name
    message: Text = ""
    snapshot: ShortText = Field("", description='The HeapSnapshot that was taken before; "": none')
    recording: Text = Field("", description="Where its recording is, below this address")
    at: Moment


class Decisions(Model):
    items: tuple[Decision, ...] = Field(max_length=1000)


class DecisionPage(Model):
    """`GET /api/v1/decisions?namespace=&kind=&name=&cursor=`: the newest first."""

    items: tuple[Decision, ...]
    next_cursor: str | None = None
