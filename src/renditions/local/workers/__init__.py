"""Worker processes that render pictures: what they may do, and their messages."""
