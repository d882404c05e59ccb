"""What can go wrong in the datastore.

    StoreError
    ├── ArtifactError         bytes: the store cannot be reached, or an argument is wrong
    │   ├── ArtifactMissing   no object with that digest
    │   └── CorruptArtifact   an object whose bytes do not have the digest of its name
    ├── DatabaseError         rows: the database cannot be opened, upgraded or reached
    ├── LineageError          a row (run, artifact, version) that cannot be recorded or found
    │   └── AliasConflict     somebody else moved the alias first
    ├── QualityError          a suite of checks that cannot be run
    └── Busy                  somebody else holds the lock

Every message says what failed, where, and what to do.
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of all errors of this folder."""


class ArtifactError(StoreError):
    """The artifact store cannot do what was asked."""


class ArtifactMissing(ArtifactError):
    """No object with that digest in the store."""


class CorruptArtifact(ArtifactError):
    """Bytes that do not have the digest they were stored under."""


class DatabaseError(StoreError):
    """The database cannot be opened, upgraded or reached."""


class LineageError(StoreError):
    """A row that cannot be recorded or found."""


class AliasConflict(LineageError):
    """The alias is no longer where the caller saw it."""


class QualityError(StoreError):
    """A suite of checks that cannot be read or run (not: data that fails it)."""


class Busy(StoreError):
    """Somebody else holds the lock; the message names process, host and since when."""
