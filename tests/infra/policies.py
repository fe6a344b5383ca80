"""Find the permissions that a policy lacks, and those that nothing needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from infra.calls import Permission

Policy = Mapping[str, Mapping[str, Any]]
"""The module's output: actions, resources and perhaps conditions of each statement, by purpose."""

NOT_OUR_CALLS = {
    ("Log", "logs:CreateLogStream"): "Lambda writes a function's log with its role",
    ("Log", "logs:PutLogEvents"): "Lambda writes a function's log with its role",
    ("ApiLog", "logs:CreateLogStream"): "Lambda writes a function's log with its role",
    ("ApiLog", "logs:PutLogEvents"): "Lambda writes a function's log with its role",
    ("ConsoleLog", "logs:CreateLogGroup"): "in the console nothing else creates the log group",
    ("ConsoleLog", "logs:CreateLogStream"): "Lambda writes a function's log with its role",
    ("ConsoleLog", "logs:PutLogEvents"): "Lambda writes a function's log with its role",
    ("Queue", "sqs:ReceiveMessage"): "Lambda takes a function's messages with its role",
    ("Queue", "sqs:DeleteMessage"): "Lambda deletes a function's messages with its role",
    ("Queue", "sqs:GetQueueAttributes"): "Lambda reads a function's queue with its role",
    ("DeadLetters", "sqs:SendMessage"): "Lambda sends what failed there with the function's role",
    ("Pictures", "s3:PutObject"): "an upload by a signed form uses the signer's permission",
    ("UploadKey", "kms:GenerateDataKey"): "an upload by a signed form uses the signer's permission",
    ("Traces", "xray:PutTraceSegments"): "Lambda sends traces with the function's role",
    ("Traces", "xray:PutTelemetryRecords"): "Lambda sends traces with the function's role",
    **{
        ("Network", f"ec2:{action}"): "Lambda manages network interfaces with the function's role"
        for action in (
            *("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces"),
            *("DescribeSubnets", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
        )
    },
}
"""The permissions that are needed although we make no such call, by purpose and action, and the reason."""


def find_lacking(policy: Policy, needed: Collection[Permission]) -> set[str]:
    """Return the permissions that are needed but not allowed."""
    lacking = {
        f"{permission.action} on {permission.resource}"
        for permission in needed
        if not any(_allows(statement, permission) for statement in policy.values())
    }
    for (purpose, action), why in NOT_OUR_CALLS.items():
        if purpose in policy and action not in policy[purpose]["actions"]:
            lacking.add(f"{action} in {purpose}: {why}")
    return lacking


def find_excess(policy: Policy, needed: Collection[Permission]) -> set[str]:
    """Return the permissions that are allowed but not needed, with their statement.

    A value of a condition that no call has, and a missing condition, count too.
    """
    excess = {
        f"{action} on {resource} in {purpose}"
        for purpose, statement in policy.items()
        for action in statement["actions"]
        if (purpose, action) not in NOT_OUR_CALLS
        for resource in statement["resources"]
        if not any(
            action == permission.action and fnmatchcase(permission.resource, resource)
            for permission in needed
        )
    }
    for purpose, statement in policy.items():
        used = {each.condition for each in needed if each.condition and _allows(statement, each)}
        allowed = _read_conditions(statement)
        excess |= {f"{key} = {value} in {purpose}" for key, value in allowed - used}
        excess |= {f"any {key} in {purpose}" for key, _ in used - allowed}
    return excess


def _allows(statement: Mapping[str, Any], permission: Permission) -> bool:
    conditions = _read_conditions(statement)
    return (
        permission.action in statement["actions"]
        and any(fnmatchcase(permission.resource, resource) for resource in statement["resources"])
        and (not conditions or permission.condition in conditions)
    )


def _read_conditions(statement: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return each key of a statement's condition with each of its values."""
    equal = statement.get("conditions", {}).get("StringEquals", {})
    return {(key, value) for key, values in equal.items() for value in values}


def without(policy: Policy, purpose: str, action: str) -> Policy:
    """Return the policy without one action of one statement."""
    actions = [kept for kept in policy[purpose]["actions"] if kept != action]
    return {**policy, purpose: {**policy[purpose], "actions": actions}}


def with_more(policy: Policy, purpose: str, action: str) -> Policy:
    """Return the policy with one more action in one statement."""
    return {**policy, purpose: {**policy[purpose], "actions": [*policy[purpose]["actions"], action]}}


def with_condition(policy: Policy, purpose: str, condition: Mapping[str, Any]) -> Policy:
    """Return the policy with another condition in one statement, or with none."""
    return {**policy, purpose: {**policy[purpose], "conditions": condition}}
