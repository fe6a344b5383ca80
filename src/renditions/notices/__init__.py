"""One module for each kind of notice target, and the signatures of webhooks."""
