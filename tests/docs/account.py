"""``python -m docs.account NAME``: prepare a deployment on moto for pictures.

moto takes the messages of the queue without running the function. It also ignores the conditions in the
buckets' policies, and would deny every request. So this program switches off the trigger and deletes the
policies.
"""

from __future__ import annotations

import sys

from contract.cloud import CLIENTS
from infra.applied import open_lambda


def main(name: str) -> None:
    """Switch off the trigger of the function, and delete the buckets' policies."""
    client = open_lambda()
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        if mapping["FunctionArn"].endswith(f":{name}"):
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    for bucket in CLIENTS.s3.list_buckets()["Buckets"]:
        CLIENTS.s3.delete_bucket_policy(Bucket=bucket["Name"])


if __name__ == "__main__":
    main(*sys.argv[1:])
