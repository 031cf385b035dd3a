"""What can go wrong, as one tree. Each message says what happened and what to do next.

CollectorError
├── ListenFailed             the address can't be bound
├── PortFileFailed           the port file can't be written
├── SnapshotFolderUnusable   the folder of snapshots can't be written, or is used by another collector
├── AccessUnusable           who may can't be asked of the cluster: no API server is named
├── CertificateUnusable      certificate, key or trust bundle can't be read or don't fit together
├── Refused                  a request is answered with an error (status, message)
│   └── Postponed            …for now: it may come again
│       ├── Overloaded       503
│       └── OverQuota        429
└── StoreError
    ├── DatabaseAway         not reachable, shut down, connection lost
    ├── DatabaseFull         no space left where the database lives
    ├── DatabaseReadOnly     a standby, or default_transaction_read_only
    ├── DatabaseForbidden    wrong password, no right to connect, create or write
    ├── DatabaseTooOld       PostgreSQL before version 15
    ├── SchemaNewer          the schema was made by a newer Memwarden
    ├── MigrationLosesData   a migration did not keep what it must keep, and was undone
    ├── SchemaChanged        an applied migration is not the one that this version carries
    └── DataRefused          PostgreSQL refused the data of a batch: a fault of ours, the batch is answered
    400
"""

__all__ = [
    "AccessUnusable",
    "CertificateUnusable",
    "CollectorError",
    "DataRefused",
    "DatabaseAway",
    "DatabaseForbidden",
    "DatabaseFull",
    "DatabaseReadOnly",
    "DatabaseTooOld",
    "ListenFailed",
    "MigrationLosesData",
    "OverQuota",
    "Overloaded",
    "PortFileFailed",
    "Postponed",
    "Refused",
    "SchemaChanged",
    "SchemaNewer",
    "SnapshotFolderUnusable",
    "StoreError",
]


class CollectorError(Exception):
    """Base of all errors that the collector raises itself."""


class ListenFailed(CollectorError):
    """The address can't be listened on."""


class PortFileFailed(CollectorError):
    """The file that tells the address can't be written."""


class AccessUnusable(CollectorError):
    """The cluster can't be asked who may."""


class CertificateUnusable(CollectorError):
    """The doors' certificate can't be used."""


class SnapshotFolderUnusable(CollectorError):
    """Snapshots can't be kept there."""


class Refused(CollectorError):
    """A request that is answered with an error: HTTP status, and a message that names limit and value."""

    def __init__(self, status: int, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        """A short word for counters."""


class Postponed(Refused):
    """Refused for now; the client comes again, after some time that the answer names."""

    retry_seconds = 1.0
    """Not before."""


class Overloaded(Postponed):
    """The collector or its database can't do more now."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(503, message, reason=reason)


class OverQuota(Postponed):
    """Who asks has had his share."""

    def __init__(self, message: str, *, reason: str, retry_seconds: float) -> None:
        super().__init__(429, message, reason=reason)
        self.retry_seconds = retry_seconds


class StoreError(CollectorError):
    """The database could not do what was asked."""


class DatabaseAway(StoreError):
    """Not reachable, or the connection was lost."""


class DatabaseFull(StoreError):
    """No space left."""


class DatabaseReadOnly(StoreError):
    """It takes no writes."""


class DatabaseForbidden(StoreError):
    """The user may not."""


class DatabaseTooOld(StoreError):
    """PostgreSQL before version 15."""


class SchemaNewer(StoreError):
    """The schema has migrations that this version does not know."""


class MigrationLosesData(StoreError):
    """What a migration must only move is not the same afterwards."""


class SchemaChanged(StoreError):
    """An applied migration differs from the one in this version."""


class DataRefused(StoreError):
    """A batch that PostgreSQL refuses whatever is tried."""
