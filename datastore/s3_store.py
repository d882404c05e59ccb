"""Artifacts in an S3 bucket through the MinIO client: key `<prefix>/sha256/ab/<hex>`, versioning on.

Correctness rests on content addressing alone, never on conditional puts: servers disagree about those on
versioned buckets, and writing the same bytes twice under their own digest does no harm.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import BinaryIO, cast

import certifi
import urllib3
from minio import Minio
from minio.commonconfig import ENABLED
from minio.error import MinioException, S3Error
from minio.versioningconfig import VersioningConfig
from urllib3 import BaseHTTPResponse

from datastore.errors import ArtifactError, ArtifactMissing

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0  # between two packets, not for a whole transfer
NUM_RETRIES = 3
PART_BYTES = 16 << 20
MAX_PARTS = 10_000
_ABSENT = ("NoSuchKey", "NoSuchObject", "NoSuchBucket", "ResourceNotFound")


class S3Backend:
    """Objects in one bucket, below one prefix. Opening makes an absent bucket, with versioning on."""

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        prefix: str,
        *,
        access_key: str | None,
        secret_key: str | None,
        region: str,
        secure: bool,
    ) -> None:
        self._url = f"{'https' if secure else 'http'}://{endpoint}"
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            maxsize=16,
            retries=urllib3.Retry(total=NUM_RETRIES, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
            cert_reqs="CERT_REQUIRED",
            ca_certs=certifi.where(),
        )
        with self.explained("opened"):
            self._client = Minio(endpoint, access_key, secret_key, secure=secure, region=region, http_client=pool)
            self._make_bucket(region)

    def where(self, digest: str) -> str:
        return f"{self._url}/{self._bucket}/{self._key(digest)}"

    def size(self, digest: str) -> int | None:
        with self.explained("read"):
            try:
                return self._client.stat_object(self._bucket, self._key(digest)).size
            except S3Error as error:
                if error.code in _ABSENT:
                    return None
                raise

    def write(self, digest: str, stream: BinaryIO, size_bytes: int, media_type: str) -> None:
        with self.explained("written"):
            self._client.put_object(
                self._bucket,
                self._key(digest),
                stream,
                size_bytes,
                content_type=media_type,
                part_size=max(PART_BYTES, math.ceil(size_bytes / MAX_PARTS)),
            )

    @contextlib.contextmanager
    def open(self, digest: str) -> Iterator[BinaryIO]:
        with self.explained("read"):
            try:
                response = self._client.get_object(self._bucket, self._key(digest))
            except S3Error as error:
                if error.code in _ABSENT:
                    raise ArtifactMissing(
                        f"{self.where(digest)}: no such artifact."
                        " Run the step that made it again, or restore a version of the object."
                    ) from None
                raise
        try:
            yield cast(BinaryIO, _Download(self, response))
        finally:
            response.close()
            response.release_conn()

    def remove(self, digest: str) -> None:
        with self.explained("removed"):  # every version: in a versioned bucket one that is only hidden keeps its space
            key = self._key(digest)
            for item in self._client.list_objects(self._bucket, key, include_version=True):
                if item.object_name == key:
                    self._client.remove_object(self._bucket, key, version_id=item.version_id)

    def digests(self) -> Iterator[tuple[str, int]]:
        with self.explained("listed"):
            for item in self._client.list_objects(self._bucket, f"{self._prefix}sha256/", recursive=True):
                yield f"sha256:{str(item.object_name).rpartition('/')[2]}", item.size or 0

    def _key(self, digest: str) -> str:
        _, _, name = digest.partition(":")
        return f"{self._prefix}sha256/{name[:2]}/{name}"

    def _make_bucket(self, region: str) -> None:
        if self._client.bucket_exists(self._bucket):
            return
        try:
            self._client.make_bucket(self._bucket, location=region)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":  # another process was faster
                raise
        self._client.set_bucket_versioning(self._bucket, VersioningConfig(ENABLED))

    @contextlib.contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Turn every failure of the client, the connection or the server into one message for a person."""
        try:
            yield
        except S3Error as error:
            advice = _ADVICE.get(error.code or "", "see the server's log")
            raise ArtifactError(
                f"the bucket {self._bucket!r} at {self._url} cannot be {what}:"
                f" {error.code}: {error.message or 'no message'} ({error.resource}); {advice}."
            ) from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ArtifactError(
                f"the bucket {self._bucket!r} at {self._url} cannot be {what}: {error}."
                " Check that the server runs, that host and port are right, and http against https (secure)."
            ) from error


class _Download:
    """The body of a response; only what the network does wrong is explained as such, not what the reader does."""

    def __init__(self, backend: S3Backend, response: BaseHTTPResponse) -> None:
        self._backend, self._response = backend, response

    def read(self, size: int = -1) -> bytes:
        with self._backend.explained("read"):
            return self._response.read(None if size < 0 else size)


_ADVICE = {
    "AccessDenied": "check access key, secret key and the rights of this user on the bucket",
    "InvalidAccessKeyId": "check the access key",
    "SignatureDoesNotMatch": "check the secret key",
    "RequestTimeTooSkewed": "set this machine's clock",
    "NoSuchBucket": "the bucket was removed; open the store again to make it",
    "InvalidBucketName": "use 3 to 63 lower-case letters, digits and dashes",
}
