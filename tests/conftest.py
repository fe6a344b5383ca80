"""What tests anywhere may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.cloud import run_moto


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """Have every AWS call, of this process and of those it starts, go to moto's server."""
    with run_moto() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        yield
