"""Worker processes that render pictures, what they may do, and what they and the pool send each other."""
