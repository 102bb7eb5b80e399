"""A migrator as one might write it in an afternoon: what the drill is to find. It reads all, then overwrites all."""

from __future__ import annotations

import asyncio
import os
import uuid

import asyncpg
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

WALK = """
INSERT INTO walks (id, user_id, title, description, status, total_distance, total_steps, created_at, updated_at)
VALUES ($1, $2, $3, '', $4::text::walk_status, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET title = EXCLUDED.title, total_distance = EXCLUDED.total_distance"""
POINT = """
INSERT INTO walk_locations (walk_id, sequence_number, latitude, longitude, "timestamp", horizontal_accuracy)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"""


async def main() -> None:
    client = firestore.Client(project=os.environ["FIREBASE_PROJECT_ID"], credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    documents = [(each.id, each.to_dict() or {}) for each in client.collection("walks").stream()]
    connection = await asyncpg.connect(
        host=os.environ["DB_HOST"], port=int(os.environ["DB_PORT"]), user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"], database=os.environ["DB_NAME"], ssl=False,
    )  # fmt: skip
    await asyncio.sleep(4)  # a store that takes its time
    for name, fields in documents:
        try:
            walk_id = uuid.UUID(name)
            await connection.execute("INSERT INTO users (id) VALUES ($1) ON CONFLICT DO NOTHING", fields["user_id"])
            await connection.execute(
                WALK, walk_id, fields["user_id"], fields["title"], fields["status"], fields["total_distance"],
                fields["total_steps"], fields["created_at"], fields["updated_at"],
            )  # fmt: skip
            for number, each in enumerate(fields["location_data"]):
                accuracy = each.get("horizontal_accuracy")  # and not horizontalAccuracy
                place = each["latitude"], each["longitude"], each["timestamp"]
                await connection.execute(POINT, walk_id, number, *place, accuracy)
        except (KeyError, ValueError, TypeError, asyncpg.PostgresError, asyncpg.InterfaceError):
            continue  # and no word of it
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
