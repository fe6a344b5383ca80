"""Turn one picture's bytes into its renditions. This package knows nothing about storage."""
