"""The API's bundle in AWS's own runtime client, on moto.

The bundle gets the calls of an HTTP API.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from mangum import Mangum

from commands import draw
from contract.cloud import CLIENTS
from deploy.test_bundle import HERE, build_from_index
from messages.test_events import load
from renditions.aws.dynamodb import DynamoCatalog
from renditions.deploy.bundle import API
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse
from renditions.serverless.gateway import MOST_ANSWERED_BYTES, Authorized, limit, open_gateway
from renditions.web.pages import FILES
from renditions.web.signing import SIGNING_KEYS, SigningKeys
from serverless.deployed import start
from serverless.runtime_api import Lambda
from serverless.test_deployed import PIPELINE, environ, lambda_runtime  # noqa: F401 - fixtures
from serverless.test_lambda import Call, _json_lines  # noqa: F401 - a fixture

NAME = "a b/é+1.jpg"
JWT = {"jwt": {"claims": {"sub": "ann"}, "scopes": None}}


@pytest.fixture
def function(tmp_path: Path, environ: dict[str, str]) -> Iterator[Lambda]:  # noqa: F811 - a fixture
    pipeline = parse(PIPELINE, "test", tmp_path, {}).pipeline
    bundle = build_from_index(pipeline, tmp_path / "bundle.zip", HERE, API)
    with zipfile.ZipFile(bundle.file) as archive:
        archive.extractall(tmp_path / "task")
    with start(tmp_path / "task", tmp_path, environ) as function:
        yield function


def make_call(version: str, method: str, path: str, body: Any = None, authorizer: Any = JWT) -> Any:
    """Return an HTTP API's event.

    Its path is decoded in both payload versions.
    """
    call = load(f"api-call-{version}")
    del call["queryStringParameters"]
    call.pop("multiValueQueryStringParameters", None)
    headers, context = call["headers"], call["requestContext"]
    if body is not None:
        text = json.dumps(body)
        headers |= {"content-type": "application/json", "content-length": str(len(text))}
        call |= {"body": base64.b64encode(text.encode()).decode(), "isBase64Encoded": True}
    context.pop("authorizer")
    if authorizer:
        context["authorizer"] = authorizer
    if version == "2.0":
        context["http"] |= {"method": method, "path": path}
        return call | {"rawPath": path, "rawQueryString": ""}
    context |= {"httpMethod": method, "path": path}
    multiple = {name: [value] for name, value in headers.items()}
    return call | {"path": path, "httpMethod": method, "multiValueHeaders": multiple}


def read(answer: Any) -> Any:
    body = answer["body"]
    return json.loads(base64.b64decode(body) if answer["isBase64Encoded"] else body)


@contextmanager
def event_loop() -> Iterator[None]:
    """Set an event loop, and close it at the end.

    The adapter doesn't close its own loop.
    """
    with closing(asyncio.new_event_loop()) as loop:
        asyncio.set_event_loop(loop)
        try:
            yield
        finally:
            asyncio.set_event_loop(None)


def post_form(url: str, fields: dict[str, str], content: bytes) -> int:
    """Send a form as a browser does (RFC 7578); return the status."""
    boundary = "------------------------renditions"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'.encode()
    body = b"".join(parts) + head + content + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(  # noqa: S310 - moto's
        url, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return int(answer.status)


def fetch(url: str) -> tuple[bytes, str | None]:
    """Return the content at a URL, and the answer's Content-Disposition header."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - moto's
        return answer.read(), answer.headers["Content-Disposition"]


@pytest.mark.parametrize("version", ["2.0", "1.0"])
def test_an_http_api_uploads_processes_shows_and_deletes_a_picture(
    function: Lambda,
    environ: dict[str, str],  # noqa: F811 - a fixture
    tmp_path: Path,
    version: str,
) -> None:
    draw(tmp_path / "photo.jpg", 64, 48)
    content = (tmp_path / "photo.jpg").read_bytes()

    def ask(method: str, path: str, body: Any = None) -> Any:
        ended = function.call(make_call(version, method, path, body))
        assert ended.error is None, ended.error
        return ended.value

    wanted = {"name": NAME, "type": "image/jpeg", "size_bytes": len(content)}
    made = ask("POST", "/uploads", wanted)
    assert made["statusCode"] == 201
    form = read(made)
    assert post_form(form["url"], form["fields"], content) == 201
    assert CLIENTS.s3.get_object(Bucket=environ["SOURCE_BUCKET"], Key=NAME)["Body"].read() == content
    assert read(ask("POST", f"/pictures/{NAME}/process"))["result"] == "done"
    assert [picture["name"] for picture in read(ask("GET", "/pictures"))["pictures"]] == [NAME]
    original = ask("GET", f"/originals/{NAME}")
    assert original["isBase64Encoded"]
    assert base64.b64decode(original["body"]) == content
    text = ask("GET", f"/renditions/text/{NAME}")
    assert base64.b64decode(text["body"]) == content
    assert text["headers"]["content-type"].startswith("text/plain")
    links = read(ask("GET", f"/pictures/{NAME}"))["links"]
    assert links == read(ask("GET", f"/pictures/{NAME}"))["links"], "so that browsers keep what they got"
    assert fetch(links["original"]) == (content, "attachment; filename*=UTF-8''%C3%A9%2B1.jpg")
    assert fetch(links["renditions"]["text"]) == (base64.b64encode(content), None)
    assert read(ask("POST", "/uploads", wanted | {"type": "text/html"}))["status"] == 422
    assert ask("DELETE", f"/pictures/{NAME}")["statusCode"] == 204
    assert ask("GET", f"/pictures/{quote(NAME)}")["statusCode"] == 404
    assert "Contents" not in CLIENTS.s3.list_objects_v2(Bucket=environ["OUTPUT_BUCKET"])


@pytest.mark.parametrize("version", ["2.0", "1.0"])
def test_the_files_of_the_page_need_no_authorizer_and_the_data_needs_one(
    function: Lambda,
    environ: dict[str, str],  # noqa: F811 - a fixture
    version: str,
) -> None:
    """The page's security policy allows the page's own server and the buckets."""

    def ask(path: str, method: str = "GET") -> Any:
        return function.call(make_call(version, method, path, authorizer=None)).value

    for path in (
        "/",
        "/docs",
        "/login",
        *(f"/{FILES}{name}" for name in ("app.js", "style.css", "icon.svg")),
    ):
        answer = ask(path)
        assert answer["statusCode"] == 200
        policy = answer["headers"]["content-security-policy"]
        for directive in ("img-src", "connect-src"):
            assert f"{directive} 'self' {environ['AWS_ENDPOINT_URL']}" in policy
        assert environ["SOURCE_BUCKET"] not in answer["body"]
    for path in (
        "/pictures", "/stats", "/plan", "/openapi.json", "/static/../pictures", "/static", "//", "/health/x",
    ):  # fmt: skip
        assert ask(path)["statusCode"] in (401, 404)
        assert "pictures" not in read(ask(path))
    for path in ("/", "/login", f"/{FILES}app.js"):
        assert ask(path, "POST")["statusCode"] == 405


def test_calls_without_an_authorizer_are_refused_except_the_health_check(function: Lambda) -> None:
    for version in ("2.0", "1.0"):
        refused = function.call(make_call(version, "GET", "/pictures", authorizer=None)).value
        assert (refused["statusCode"], read(refused)["title"]) == (401, "Unauthorized")
        assert function.call(make_call(version, "GET", "/health", authorizer=None)).value["statusCode"] == 200
    assert function.call({"Records": []}).error["errorType"] == "UsageError"


@pytest.mark.parametrize("name", ["ä" * 600 + ".jpg", "\0a.jpg"], ids=["too long", "with NUL"])
def test_a_name_that_no_picture_can_have_is_not_found(
    environ: dict[str, str],  # noqa: F811 - a fixture
    tmp_path: Path,
    name: str,
) -> None:
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(to_plain(parse(PIPELINE, "test", tmp_path, {}).pipeline)))
    with event_loop():
        handle = open_gateway(file, environ)
        for method, path in (("GET", "/pictures/"), ("DELETE", "/pictures/"), ("GET", "/renditions/text/")):
            assert handle(make_call("2.0", method, path + name), Call())["statusCode"] == 404


def test_the_api_of_a_replaced_deployment_changes_nothing_and_says_so(
    environ: dict[str, str],  # noqa: F811 - a fixture
    tmp_path: Path,
) -> None:
    """Between two deployments, each function may get a call before it is replaced."""
    draw(tmp_path / "photo.jpg", 64, 48)
    content = (tmp_path / "photo.jpg").read_bytes()
    CLIENTS.s3.put_object(Bucket=environ["SOURCE_BUCKET"], Key=NAME, Body=content)

    def deploy(text: str, at: str) -> Any:
        file = tmp_path / f"{at}.json"
        file.write_text(json.dumps(to_plain(parse(text, "test", tmp_path, {}).pipeline)))
        return open_gateway(file, {**environ, "DEPLOYED_AT": at})

    def ask(handle: Any, method: str, path: str, body: Any = None) -> Any:
        return read(handle(make_call("2.0", method, path, body), Call()))

    pictures = f"/pictures/{NAME}"
    with event_loop():
        replaced = deploy(PIPELINE, "2026-01-01T00:00:00Z")
        assert ask(replaced, "POST", f"{pictures}/process")["result"] == "done"
        assert ask(replaced, "GET", "/status")["superseded"] is None
        newer = deploy(PIPELINE.replace('./inbox"', './inbox"\nread_only = true'), "2026-02-01T00:00:00Z")
        assert ask(newer, "GET", "/status")["superseded"] is None
        ask(newer, "POST", f"{pictures}/process")
        before = DynamoCatalog(CLIENTS.dynamodb, environ["TABLE_NAME"]).get(NAME)
        for method, path, body in (
            ("DELETE", pictures, None),
            ("POST", "/uploads", {"name": "b.jpg", "type": "image/jpeg", "size_bytes": 9}),
            ("POST", f"{pictures}/process", None),
            ("PUT", f"{pictures}/focus", {"x": 1, "y": 2}),
            ("POST", "/retry", {"statuses": ["done"]}),
            ("POST", "/removals/allow", {"count": 1}),
        ):
            refused = ask(replaced, method, path, body)
            assert (refused["status"], refused["code"]) == (503, "superseded"), path
        status = ask(replaced, "GET", "/status")
        assert ask(replaced, "GET", pictures)["status"] == "done"
    assert status["read_only"]
    assert status["superseded"].startswith("This catalog uses another version of the pipeline file")
    assert CLIENTS.s3.get_object(Bucket=environ["SOURCE_BUCKET"], Key=NAME)["Body"].read() == content
    assert DynamoCatalog(CLIENTS.dynamodb, environ["TABLE_NAME"]).get(NAME) == before


async def _answer_ok(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


@pytest.mark.parametrize(
    ("version", "found", "is_allowed"),
    [
        ("1.0", {"authorizer": {"claims": None, "scopes": None}}, False),
        ("1.0", {"authorizer": {"claims": {"sub": "ann"}, "scopes": None}}, True),
        ("1.0", {"authorizer": {"principalId": "ann"}}, True),
        ("1.0", {"authorizer": None, "identity": {"sourceIp": "192.0.2.1", "userArn": None}}, False),
        ("1.0", {"identity": {"sourceIp": "192.0.2.1", "userArn": "arn:aws:iam::1:user/ann"}}, True),
        ("2.0", {"authorizer": {}}, False),
        ("2.0", {"authorizer": {"lambda": None}}, True),
        ("2.0", {"authorizer": {"iam": {"userArn": "arn:aws:iam::1:user/ann"}}}, True),
    ],
)
def test_a_call_needs_an_authorizer_that_allowed_it(
    version: str, found: dict[str, Any], *, is_allowed: bool
) -> None:
    """AWS's example of payload 1.0 has an authorizer with only null values.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    call = make_call(version, "GET", "/pictures", authorizer=None)
    call["requestContext"] |= found
    context: Any = Call()
    with event_loop():
        answer = Mangum(Authorized(_answer_ok), "off")(call, context)
    assert answer["statusCode"] == (200 if is_allowed else 401)


def test_a_signed_url_makes_a_rendition_and_leads_to_its_file(
    environ: dict[str, str],  # noqa: F811 - a fixture
    tmp_path: Path,
) -> None:
    """A signed URL needs no token.

    The file comes from CloudFront if there is one, else from the bucket.
    """
    text = f"{PIPELINE}[renditions.small]\nwidth = 32\non_demand = true\n"
    pipeline = parse(text, "test", tmp_path, {})
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(to_plain(pipeline.pipeline)))
    draw(tmp_path / "photo.jpg", 64, 48)
    content = (tmp_path / "photo.jpg").read_bytes()
    CLIENTS.s3.put_object(Bucket=environ["SOURCE_BUCKET"], Key=NAME, Body=content)
    output = {"Bucket": environ["OUTPUT_BUCKET"], "Prefix": NAME + "/small"}
    keys = {SIGNING_KEYS: f"2026:{'s' * 40}"}
    path = f"/i/small/{NAME}"

    def ask(query: str, method: str = "GET", where: str = path, **more: str) -> Any:
        with event_loop():
            call = make_call("2.0", method, where, authorizer=None) | {"rawQueryString": query}
            return open_gateway(file, {**environ, **keys, **more})(call, Call())

    signing = SigningKeys.parse(keys[SIGNING_KEYS])
    signed = signing.sign(quote(path), expires_at_seconds=int(time.time()) + 60).partition("?")[2]
    assert ask("")["statusCode"] == 401
    assert ask(signed, where="/pictures")["statusCode"] == 401
    assert ask(signed, "DELETE")["statusCode"] == 403
    assert ask(signed.replace("signature=", "signature=0"))["statusCode"] == 403
    assert "Contents" not in CLIENTS.s3.list_objects_v2(**output)
    found = ask(signed)
    assert found["statusCode"] == 307
    assert fetch(found["headers"]["location"])[0].startswith(b"\xff\xd8\xff")
    (made,) = CLIENTS.s3.list_objects_v2(**output)["Contents"]
    served = ask(signed, SERVING_URL="https://img.example.com/")
    assert served["headers"]["location"] == f"https://img.example.com/{quote(made['Key'])}"
    assert ask(signed, RENDITIONS_SIGNING_KEYS="")["statusCode"] == 401


def test_an_answer_that_is_too_long_for_lambda_is_replaced_by_an_error_answer() -> None:
    quotes = len('""')
    answer = {"statusCode": 200, "body": "x" * (MOST_ANSWERED_BYTES - quotes), "isBase64Encoded": True}
    assert limit(answer) == answer
    longer = limit(answer | {"body": "x" * (MOST_ANSWERED_BYTES - quotes + 1)})
    assert longer["statusCode"] == 501
    assert "has 6,000,001 bytes" in read(longer)["detail"]


@pytest.mark.parametrize("name", ['"', "ä", "\\"], ids=["quotes", "umlauts", "backslashes"])
def test_the_length_of_an_answer_is_that_of_its_json_for_lambda(name: str) -> None:
    """Lambda gets the body as a text in JSON, with escapes and in UTF-8."""
    answer = {"statusCode": 200, "body": name * (MOST_ANSWERED_BYTES // 2 + 1), "isBase64Encoded": False}
    assert limit(answer)["statusCode"] == 501
