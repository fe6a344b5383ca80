"""The code of each format: one file for each, named in the tables of ``renditions.model.formats``."""
