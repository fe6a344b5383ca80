"""The API and the page: one ASGI application, the same on a laptop and on AWS."""
