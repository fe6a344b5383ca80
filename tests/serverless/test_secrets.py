"""Secrets that a function reads when it starts, from moto's server."""

from __future__ import annotations

import pytest

from contract.cloud import CLIENTS, REGION
from renditions.errors import Failed
from renditions.serverless.secrets import read_secrets


@pytest.mark.usefixtures("aws")
def test_the_arns_of_secrets_and_parameters_are_replaced_by_their_values() -> None:
    secret = CLIENTS.secretsmanager.create_secret(Name="webhook", SecretString="one")["ARN"]
    CLIENTS.ssm.put_parameter(Name="/shop/token", Value="two", Type="SecureString")
    parameter = f"arn:aws:ssm:{REGION}:123456789012:parameter/shop/token"
    environ = {"WEBHOOK_KEY": secret, "API_TOKEN": parameter, "SNS_TOPIC_ARN": "arn:aws:sns:eu-west-1:1:a"}
    read_secrets(environ)
    assert environ == {"WEBHOOK_KEY": "one", "API_TOKEN": "two", "SNS_TOPIC_ARN": "arn:aws:sns:eu-west-1:1:a"}


@pytest.mark.usefixtures("aws")
def test_a_missing_secret_is_named_with_its_variable() -> None:
    arn = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:nowhere-AbCdEf"
    with pytest.raises(Failed, match=f"^API_TOKEN: {arn}: GetSecretValue: ResourceNotFoundException"):
        read_secrets({"API_TOKEN": arn})


def test_an_environment_without_secrets_needs_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    environ = {"SOURCE_BUCKET": "pictures"}
    read_secrets(environ)
    assert environ == {"SOURCE_BUCKET": "pictures"}
