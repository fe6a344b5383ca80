"""The queries of a SQLite catalog for lists of records and for totals."""

from __future__ import annotations

from dataclasses import fields

from renditions.model.totals import Totals

SUMS = ", ".join(field.name for field in fields(Totals))
ADDED = ", ".join(f"{field.name} = {field.name} + excluded.{field.name}" for field in fields(Totals))
LIST = "SELECT item, name FROM records WHERE name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?"
COUNT = "SELECT count(*) FROM (SELECT 1 FROM records WHERE name >= :begin AND name < :end LIMIT :most)"
OF_FEW_NAMES = """SELECT item, timestamp, name FROM records
    WHERE name >= :begin AND name < :end AND status = coalesce(:status, +status)
    AND (+timestamp, name) < (:time, :name) ORDER BY +timestamp DESC, name DESC LIMIT :most"""
OF_ANY_STATUS = """SELECT item, timestamp, name FROM (
        SELECT name FROM records INDEXED BY records_by_time
        WHERE (timestamp, name) < (:time, :name) AND name >= :begin AND name < :end
        ORDER BY timestamp DESC, name DESC LIMIT :most)
    CROSS JOIN records USING (name) ORDER BY timestamp DESC, name DESC"""
OF_STATUS = """SELECT item, timestamp, name FROM (
        SELECT name FROM records INDEXED BY records_by_status
        WHERE status = :status AND (timestamp, name) < (:time, :name) AND name >= :begin AND name < :end
        ORDER BY timestamp DESC, name DESC LIMIT :most)
    CROSS JOIN records USING (name) ORDER BY timestamp DESC, name DESC"""
