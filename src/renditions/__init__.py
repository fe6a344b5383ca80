"""Every size, format and watermark of every picture, the moment it lands."""
