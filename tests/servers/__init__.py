"""Servers that are heavier and more real than moto: ``make test-servers``."""
