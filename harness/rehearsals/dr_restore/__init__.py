"""Disaster recovery (バックアップ・災害復旧): backups, WAL archive, restore to a point, verification, RPO and RTO.

Everything runs on PostgreSQL's own programs, of version 15 where they can be had (``postgres_programs.whole``).
"""
