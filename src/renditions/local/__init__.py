"""What keeps and moves things on one machine: folders, SQLite, lease owners, worker processes."""
