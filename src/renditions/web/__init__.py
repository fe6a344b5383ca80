"""The API and the page, as ASGI applications for a server and for AWS."""
