"""Secrets that a function on Lambda reads when it starts.

The environment has only the ARN of a secret, because a person who may see the function may see its
environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping

from renditions.errors import Failed, UsageError

ARN = re.compile(r"arn:[a-z-]+:(secretsmanager|ssm):[a-z0-9-]+:[0-9]{12}:(secret:|parameter/).+")


def read_secrets(environ: MutableMapping[str, str]) -> None:
    """Replace each ARN of a secret or of a parameter in the environment by its value.

    Raises:
        Failed: A secret can't be read, or isn't a text.
        UsageError: botocore isn't installed, no AWS region is configured, or the AWS settings are invalid.

    """
    found = {name: match for name, value in environ.items() if (match := ARN.fullmatch(value))}
    if not found:
        return
    try:
        from renditions.aws.clients import Clients, reported  # noqa: PLC0415 - only here, an extra
    except ModuleNotFoundError as error:
        raise UsageError(
            f"can't read the secret in {next(iter(found))}: {error.name} isn't installed. "
            "Run: pip install 'renditions[aws]'"
        ) from error

    clients = Clients()
    readers: Mapping[str, Callable[[str], str | None]] = {
        "secretsmanager": lambda arn: clients.secretsmanager.get_secret_value(SecretId=arn).get(
            "SecretString"
        ),
        "ssm": lambda arn: str(
            clients.ssm.get_parameter(Name=arn, WithDecryption=True)["Parameter"]["Value"]
        ),
    }
    for name, match in found.items():
        with reported(f"{name}: {match[0]}", passing=Failed, lasting=Failed):
            value = readers[match[1]](match[0])
        if value is None:
            raise Failed(f"{name}: {match[0]} has bytes and no text. Store the secret as text")
        environ[name] = value
