"""What can go wrong between controller and collector. Of the cluster it is memwarden_kube.errors.

CollectorError
├── CollectorAway      it does not answer, or asks to come again (429, 5xx)
└── CollectorRefuses   it does not take what we sent: credentials, rights, content
"""


class CollectorError(Exception):
    """Base."""


class CollectorAway(CollectorError):
    """Ask again; `retry_seconds` where it says when."""

    def __init__(self, text: str, retry_seconds: float | None = None) -> None:
        super().__init__(text)
        self.retry_seconds = retry_seconds


class CollectorRefuses(CollectorError):
    """Asking again changes nothing until somebody changes something."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status
