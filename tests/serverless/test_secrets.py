"""Secrets that a function reads when it starts, from moto's server."""

from __future__ import annotations

import base64
import sys

import pytest

from contract.cloud import CLIENTS, REGION
from notices.http_receiver import receiving
from notices.receiving import DONE
from renditions.errors import Failed, UsageError
from renditions.model.notify import Notify
from renditions.notices.signature import verify
from renditions.notices.webhook import WebhookNotifier
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
def test_the_error_about_a_missing_secret_names_its_variable() -> None:
    arn = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:nowhere-AbCdEf"
    with pytest.raises(Failed, match=rf"^API_TOKEN: {arn}: GetSecretValue failed: .* \(Resource"):
        read_secrets({"API_TOKEN": arn})


@pytest.mark.usefixtures("aws")
def test_a_binary_secret_is_refused() -> None:
    arn = CLIENTS.secretsmanager.create_secret(Name="bytes", SecretBinary=b"one")["ARN"]
    with pytest.raises(Failed, match=r"^API_TOKEN: .*bytes.* has bytes and no text"):
        read_secrets({"API_TOKEN": arn})


@pytest.mark.usefixtures("aws")
def test_a_webhook_of_a_function_is_signed_with_a_secret_of_secrets_manager() -> None:
    secret = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
    environ = {"WEBHOOK_SECRET": CLIENTS.secretsmanager.create_secret(Name="whs", SecretString=secret)["ARN"]}
    read_secrets(environ)
    with receiving() as receiver:
        notify = Notify(on=("done",), to=f"webhook:{receiver.url}", secret="${WEBHOOK_SECRET}")  # noqa: S106 - a reference
        WebhookNotifier(notify, environ).send(DONE)
    ((headers, body),) = receiver.got
    verify(headers, body, secret)


def test_reading_a_secret_without_botocore_fails_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "renditions.aws.clients", raising=False)
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    arn = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:webhook-AbCdEf"
    expected = r"in API_TOKEN: botocore\S* isn't installed. Run: pip install 'renditions\[aws\]'"
    with pytest.raises(UsageError, match=expected):
        read_secrets({"API_TOKEN": arn})


def test_an_environment_without_secrets_needs_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    environ = {"SOURCE_BUCKET": "pictures"}
    read_secrets(environ)
    assert environ == {"SOURCE_BUCKET": "pictures"}
