"""Prepare a deployment on moto for pictures: ``python -m docs.account NAME``.

moto takes the messages of the queue without running the function. So this program switches off the trigger.
"""

from __future__ import annotations

import sys

from infra.deploying import open_lambda


def main(name: str) -> None:
    """Switch off the trigger of the function of the named deployment."""
    client = open_lambda()
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        if mapping["FunctionArn"].endswith(f":{name}"):
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
