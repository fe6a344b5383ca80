"""The API and the page: one ASGI application for a laptop and for AWS."""
