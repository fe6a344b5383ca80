"""Servers that behave more like AWS than moto, but take longer to start: ``make test-servers``."""
