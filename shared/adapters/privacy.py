"""Erasures and exports on DynamoDB and S3: their requests, how far they are, and what they leave.

`erasure#<id>` holds the `request` while it is under way and the `proof` afterwards. The proof has a
copy in the bucket, since a restored table knows of no erasure that came after its moment.
`export#<id>` holds the request of an export, and each profile it is about a pointer to it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import RawIOBase
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from shared.adapters import dynamo
from shared.adapters.objects import LINK_SECONDS, delete_objects, object_keys, read_object
from shared.domain.errors import Contention, NotFound
from shared.domain.model import ProfileId
from shared.domain.privacy import (
    Erasure,
    ErasureId,
    ErasureProof,
    Export,
    ExportId,
)
from shared.domain.retention import RetentionPolicy, epoch
from shared.events.catalogue import ProfileErased
from shared.events.envelope import Event

Item = dict[str, Any]

COUNT = "count#"
MARKS = frozenset({"erasing", "suppression", "erased"})
"""Sort keys under a profile that stay until its erasure has ended, and the one that stays then."""
ARCHIVE = "export.zip"
_PER_TRANSACTION = 33
"""Profiles that are released at once, of three items each: a transaction holds 100."""
_PART_BYTES = 8 * 1024 * 1024
"""Of a multipart upload; the least is 5 MB, and there are at most 10,000."""


class DynamoPrivacyRequests:
    def __init__(
        self, client: Any, s3: Any, table: str, bucket: str, retention: RetentionPolicy
    ) -> None:
        self._client = client
        self._s3 = s3
        self._table = table
        self._bucket = bucket
        self._retention = retention

    # Erasures

    def begin_erasure(self, erasure: Erasure, event: Event) -> Erasure:
        mark = _mark(erasure.profile_ids[0], erasure)
        writes = [
            {"Put": dynamo.put(mark, table=self._table, condition="attribute_not_exists(pk)")},
            {
                "Put": dynamo.put(
                    _request_item(erasure, event),
                    table=self._table,
                    condition="attribute_not_exists(pk)",
                )
            },
        ]
        try:
            dynamo.transact(self._client, writes, refusals={})
        except Contention:
            standing = self.erasure_under_way(erasure.profile_ids[0])
            if standing is None:
                raise
            return standing
        return erasure

    def erasure_under_way(self, profile_id: ProfileId) -> Erasure | None:
        mark = self._get(f"profile#{profile_id}", "erasing")
        found = self.read_erasure(ErasureId(mark["erasure_id"])) if mark else None
        return found if isinstance(found, Erasure) else None

    def read_erasure(self, erasure_id: ErasureId) -> Erasure | ErasureProof | None:
        if request := self._get(f"erasure#{erasure_id}", "request"):
            return erasure_of(request)
        if proof := self._get(f"erasure#{erasure_id}", "proof"):
            return ErasureProof.model_validate_json(proof["proof"])
        return None

    def save_erasure(self, erasure: Erasure, event: Event | None = None) -> None:
        self._save(f"erasure#{erasure.erasure_id}", _erasure_values(erasure), event)

    def mark(self, erasure: Erasure) -> None:
        for profile_id in erasure.profile_ids:
            item = dynamo.attributes(_mark(profile_id, erasure))
            self._client.put_item(TableName=self._table, Item=item)

    def end_erasure(self, proof: ErasureProof, erasure: Erasure, event: Event) -> None:
        kept = proof.model_dump_json()
        key = f"proofs/{proof.erasure_id}.json"
        self._s3().put_object(Bucket=self._bucket, Key=key, Body=kept.encode())
        expiry = epoch(proof.done_at + self._retention.erased)
        for batch in _batches(erasure.profile_ids, _PER_TRANSACTION):
            writes = [write for one in batch for write in self._released(one, expiry)]
            dynamo.transact(self._client, writes, refusals={})
        pk = f"erasure#{proof.erasure_id}"
        item = {
            "pk": pk,
            "sk": "proof",
            "proof": kept,
            "expires_at": epoch(proof.done_at + self._retention.proof),
            "event": event.carried(),
        }
        writes = [
            {"Put": dynamo.put(item, table=self._table)},
            self._delete(pk, "request"),
        ]
        dynamo.transact(self._client, writes, refusals={})

    def _released(self, profile_id: ProfileId, expires_at: int) -> list[dict[str, Any]]:
        pk = f"profile#{profile_id}"
        event = ProfileErased(profile_id=profile_id)
        tombstone = {"pk": pk, "sk": "erased", "expires_at": expires_at, "event": event.carried()}
        return [
            {"Put": dynamo.put(tombstone, table=self._table)},
            self._delete(pk, "erasing"),
            self._delete(pk, "suppression"),
        ]

    def _delete(self, pk: str, sk: str) -> dict[str, Any]:
        key = dynamo.attributes({"pk": pk, "sk": sk})
        return {"Delete": {"TableName": self._table, "Key": key}}

    def proofs(self) -> Iterator[ErasureProof]:
        for key in object_keys(self._s3(), self._bucket, "proofs/"):
            body = self._s3().get_object(Bucket=self._bucket, Key=key)["Body"].read()
            yield ErasureProof.model_validate_json(body)

    # Exports

    def begin_export(self, export: Export, event: Event) -> None:
        item = {
            **_key("export", export.export_id),
            **_export_values(export),
            "expires_at": epoch(export.expires_at),
            "event": event.carried(),
        }
        pointers = [
            {
                "pk": f"profile#{profile_id}",
                "sk": f"export#{export.export_id}",
                "expires_at": epoch(export.expires_at),
            }
            for profile_id in export.profile_ids
        ]
        writes = [{"Put": dynamo.put(one, table=self._table)} for one in (item, *pointers)]
        dynamo.transact(self._client, writes, refusals={})

    def read_export(self, export_id: ExportId) -> Export | None:
        item = self._get(f"export#{export_id}", "request")
        return Export.model_validate_json(item["export"]) if item else None

    def save_export(self, export: Export, event: Event | None = None) -> None:
        self._save(f"export#{export.export_id}", _export_values(export), event)

    def keep_part(self, export: Export, part: Mapping[str, Any]) -> None:
        self._s3().put_object(
            Bucket=self._bucket,
            Key=_part_key(export, export.parts),
            Body=json.dumps(part, ensure_ascii=False).encode(),
        )

    def parts(self, export: Export) -> Iterator[dict[str, Any]]:
        for number in range(export.parts):
            key = _part_key(export, number)
            part: dict[str, Any] = json.loads(read_object(self._s3(), self._bucket, key))
            yield part

    def keep_archive(self, export: Export, files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
        with (
            _Upload(self._s3(), self._bucket, _archive_key(export), "application/zip") as upload,
            ZipFile(upload, "w", ZIP_DEFLATED) as archive,
        ):
            for name, content in files:
                with archive.open(name, "w", force_zip64=True) as member:
                    for piece in content:
                        member.write(piece)

    def discard(self, export: Export) -> None:
        delete_objects(self._s3(), self._bucket, f"exports/{export.export_id}/")

    def link(self, export: Export) -> str:
        url: str = self._s3().generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": _archive_key(export)},
            ExpiresIn=LINK_SECONDS,
        )
        return url

    # Access

    def _get(self, pk: str, sk: str) -> Item:
        answer = self._client.get_item(
            TableName=self._table, Key=dynamo.attributes({"pk": pk, "sk": sk}), ConsistentRead=True
        )
        return dynamo.plain(answer.get("Item", {}))

    def _save(self, pk: str, values: Mapping[str, object], event: Event | None) -> None:
        absent = [name for name, value in values.items() if value is None]
        try:
            with dynamo.contention():
                self._client.update_item(
                    **dynamo.update(
                        {"pk": pk, "sk": "request"},
                        table=self._table,
                        set_={**values, "event": event.carried() if event else None},
                        remove=[*absent, *([] if event else ["event"])],
                        condition="attribute_exists(pk)",
                    )
                )
        except Contention:
            raise NotFound("there is no such request any more") from None


def _key(kind: str, id_: str) -> dict[str, str]:
    return {"pk": f"{kind}#{id_}", "sk": "request"}


def _mark(profile_id: ProfileId, erasure: Erasure) -> dict[str, str]:
    return {"pk": f"profile#{profile_id}", "sk": "erasing", "erasure_id": erasure.erasure_id}


def _batches(ids: Sequence[ProfileId], size: int) -> Iterator[Sequence[ProfileId]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _request_item(erasure: Erasure, event: Event) -> Item:
    return {
        **_key("erasure", erasure.erasure_id),
        **_erasure_values(erasure),
        "event": event.carried(),
    }


def _erasure_values(erasure: Erasure) -> dict[str, object]:
    """All but the counts, each of which is a number of its own and changes by addition."""
    return {"request": erasure.model_dump_json(exclude={"counts"})}


def erasure_of(item: Mapping[str, Any]) -> Erasure:
    counts = {
        name.removeprefix(COUNT): number
        for name, number in sorted(item.items())
        if name.startswith(COUNT)
    }
    erasure = Erasure.model_validate_json(item["request"])
    return erasure.model_copy(update={"counts": counts})


def _export_values(export: Export) -> dict[str, object]:
    return {"export": export.model_dump_json()}


def _part_key(export: Export, number: int) -> str:
    return f"exports/{export.export_id}/parts/{number:08}.json"


def _archive_key(export: Export) -> str:
    return f"exports/{export.export_id}/{ARCHIVE}"


class _Upload(RawIOBase):
    """A file that only grows, in a bucket: what is written leaves in parts, so that the largest
    archive needs no more memory than one of them.
    """

    def __init__(self, s3: Any, bucket: str, key: str, content_type: str) -> None:
        super().__init__()
        self._s3 = s3
        self._place = {"Bucket": bucket, "Key": key}
        self._content_type = content_type
        self._waiting = bytearray()
        self._upload: dict[str, Any] | None = None
        self._done: list[dict[str, Any]] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._waiting += content
        while len(self._waiting) >= _PART_BYTES:
            self._send(_PART_BYTES)
        return len(content)

    def _send(self, size: int) -> None:
        if self._upload is None:
            made = self._s3.create_multipart_upload(**self._place, ContentType=self._content_type)
            self._upload = {**self._place, "UploadId": made["UploadId"]}
        number = len(self._done) + 1
        part = self._s3.upload_part(
            **self._upload, PartNumber=number, Body=bytes(self._waiting[:size])
        )
        self._done.append({"PartNumber": number, "ETag": part["ETag"]})
        del self._waiting[:size]

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        # An upload that failed is never completed; the bucket's rule clears its parts away.
        if error is None:
            if self._upload is None:
                self._s3.put_object(
                    **self._place, Body=bytes(self._waiting), ContentType=self._content_type
                )
            else:
                self._send(len(self._waiting))
                self._s3.complete_multipart_upload(
                    **self._upload, MultipartUpload={"Parts": self._done}
                )
        super().__exit__(kind, error, trace)
