"""Servers that behave more like AWS than moto: ``make test-servers``.

They take longer to start than moto.
"""
