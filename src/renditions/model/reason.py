"""Why a picture was rejected or failed: a text for people, a code for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from renditions.errors import NotAccepted, Rejected, RenditionsError, Undecodable, Unrenderable


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason in words, and the code of the error's class."""

    text: str
    code: str = ""
    """The error's ``RenditionsError.code``; empty in records of version 0.1."""

    @classmethod
    def of(cls, error: Exception) -> Reason:
        """Return the reason with the error's text and code.

        An error of another package gets the code of ``RenditionsError``.
        """
        return cls(str(error), error.code if isinstance(error, RenditionsError) else RenditionsError.code)

    def __str__(self) -> str:
        """Return the text."""
        return self.text


REJECTIONS = {kind.code: kind for kind in (Rejected, NotAccepted, Undecodable, Unrenderable)}
"""The rejections that a renderer can report, by their codes."""


def to_rejection(reason: Reason) -> Rejected:
    """Return the error that a renderer's reason describes.

    A reason with an unknown code gives ``Rejected``.
    """
    return REJECTIONS.get(reason.code, Rejected)(reason.text)


def common_code(reasons: Iterable[Reason]) -> str:
    """Return the code that all reasons have.

    If the codes differ, return the general code of rejections.
    """
    codes = {reason.code for reason in reasons}
    return codes.pop() if len(codes) == 1 else Rejected.code
