"""Record AWS calls of this process, and the permissions that they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import botocore

from contract.cloud import REGION

ACCOUNT = "123456789012"
"""The ID of moto's account."""


KEY_ACTIONS = {
    "s3:GetObject": ("kms:Decrypt",),
    "s3:GetObjectVersion": ("kms:Decrypt",),
    "s3:PutObject": ("kms:GenerateDataKey",),
    "sns:Publish": ("kms:Decrypt", "kms:GenerateDataKey"),
    "sqs:SendMessage": ("kms:Decrypt", "kms:GenerateDataKey"),
    "secretsmanager:GetSecretValue": ("kms:Decrypt",),
    "ssm:GetParameter": ("kms:Decrypt",),
    **dict.fromkeys(
        (
            "dynamodb:GetItem",
            "dynamodb:BatchGetItem",
            "dynamodb:Query",
            "dynamodb:PutItem",
            "dynamodb:DeleteItem",
        ),
        ("kms:Decrypt",),
    ),
}
"""The actions on the key of an encrypted resource that each action on this resource needs."""


@dataclass(frozen=True)
class Permission:
    """One action on one resource."""

    action: str
    resource: str
    condition: tuple[str, str] | None = None
    """A condition key and the call's value, by which a policy can distinguish calls on the resource."""


@dataclass(frozen=True)
class Call:
    """One request to AWS that was answered."""

    service: str
    operation: str
    parameters: dict[str, Any]
    status: int

    def permissions(self) -> set[Permission]:
        """Return the permissions that this call needs.

        https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html

        Raises:
            AssertionError: This method doesn't know the call.

        """
        match self.service:
            case "s3":
                return set(self._of_s3())
            case "dynamodb":
                return set(self._of_dynamodb())
            case "sns" | "sqs" | "events" | "sesv2":
                return set(self._of_messages())
            case "secretsmanager":
                return {Permission("secretsmanager:GetSecretValue", self.parameters["SecretId"])}
            case "cloudfront":
                distribution = (
                    f"arn:aws:cloudfront::{ACCOUNT}:distribution/{self.parameters['DistributionId']}"
                )
                return {Permission(f"cloudfront:{self.operation}", distribution)}
            case "ssm":
                return {Permission("ssm:GetParameter", self.parameters["Name"])}
        raise AssertionError(f"{self.service} {self.operation}")

    def key_permissions(self, keys: Mapping[str, str]) -> set[Permission]:
        """Return the permissions on KMS keys that this call needs.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
        https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html

        Args:
            keys: The ARN of the key of each bucket, table, topic, queue, secret and parameter, by its ARN.

        """
        return {
            Permission(action, key)
            for permission in self.permissions()
            for action in KEY_ACTIONS.get(permission.action, ())
            for arn, key in keys.items()
            if permission.resource == arn or permission.resource.startswith(f"{arn}/")
        }

    def _of_s3(self) -> Iterator[Permission]:
        bucket = f"arn:aws:s3:::{self.parameters['Bucket']}"
        of_bucket = {
            "ListObjectsV2": "ListBucket",
            "ListObjectVersions": "ListBucketVersions",
            "GetBucketVersioning": "GetBucketVersioning",
        }
        if action := of_bucket.get(self.operation):
            yield Permission(f"s3:{action}", bucket)
            return
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
        if self.operation == "CopyObject":
            source = self.parameters["CopySource"]
            yield Permission("s3:GetObject", f"arn:aws:s3:::{source['Bucket']}/{source['Key']}")
            yield Permission("s3:PutObject", f"{bucket}/{self.parameters['Key']}")
            return
        action = {"HeadObject": "GetObject"}.get(self.operation, self.operation)
        assert action in ("GetObject", "PutObject", "DeleteObject"), self.operation
        target = f"{bucket}/{self.parameters['Key']}"
        yield Permission(f"s3:{action}{'Version' if 'VersionId' in self.parameters else ''}", target)
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
        if "IfMatch" in self.parameters:
            yield Permission("s3:GetObject", target)
        if self.status == 404:
            yield Permission("s3:ListBucket", bucket)

    def _of_messages(self) -> Iterator[Permission]:
        match self.service:
            case "sns":
                yield Permission("sns:Publish", self.parameters["TopicArn"])
            case "sqs":
                name = self.parameters["QueueUrl"].rpartition("/")[2]
                action = self.operation.removesuffix("Batch")
                assert action in ("SendMessage", "ChangeMessageVisibility"), self.operation
                yield Permission(f"sqs:{action}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
            case "events":
                for entry in self.parameters["Entries"]:
                    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{entry['EventBusName']}"
                    yield Permission("events:PutEvents", bus)
            case "sesv2":
                # SES asks for the address's own identity if there is one, and else for its domain's.
                sender = self.parameters["FromEmailAddress"]
                for name in (sender, sender.partition("@")[2]):
                    identity = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{name}"
                    yield Permission("ses:SendEmail", identity, ("ses:FromAddress", sender))

    def _of_dynamodb(self) -> Iterator[Permission]:
        match self.operation:
            case "GetItem" | "PutItem" | "DeleteItem":
                yield Permission(f"dynamodb:{self.operation}", table_arn(self.parameters["TableName"]))
            case "BatchGetItem":
                for table in self.parameters["RequestItems"]:
                    yield Permission("dynamodb:BatchGetItem", table_arn(table))
            case "Query":
                index = f"{table_arn(self.parameters['TableName'])}/index/{self.parameters['IndexName']}"
                yield Permission("dynamodb:Query", index)
            case "TransactWriteItems":
                for item in self.parameters["TransactItems"]:
                    ((kind, part),) = item.items()
                    assert kind in ("Put", "Delete"), kind
                    yield Permission(f"dynamodb:{kind}Item", table_arn(part["TableName"]))
            case _:
                raise AssertionError(self.operation)


def table_arn(name: str) -> str:
    """Return the table's ARN on moto."""
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """Yield the calls of every botocore session that is created during the block."""
    calls: list[Call] = []

    def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["parameters"] = dict(params)

    def note(http_response: Any, model: Any, context: dict[str, Any], **_: Any) -> None:
        service = model.service_model.service_name
        calls.append(Call(service, model.name, context["parameters"], http_response.status_code))

    def watch(session: Any) -> None:
        session.register("provide-client-params", remember)
        session.register("after-call", note)

    botocore.register_initializer(watch)
    try:
        yield calls
    finally:
        botocore.unregister_initializer(watch)
