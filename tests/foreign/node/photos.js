"use strict";

const WITHIN_MS = 3000;

/** Removes a deleted walk's pictures from Cloud Storage by its JSON API; nothing without Storage. */
async function removePhotos(project, uid, id) {
  const host = process.env.STORAGE_EMULATOR_HOST;
  if (!host) return;
  const objects = `${host.replace(/\/$/, "")}/storage/v1/b/${project}.appspot.com/o`;
  const prefix = encodeURIComponent(`users/${uid}/walks/${id.toUpperCase()}/`);
  const listed = await fetch(`${objects}?prefix=${prefix}`, { signal: AbortSignal.timeout(WITHIN_MS) });
  for (const { name } of (await listed.json()).items ?? []) {
    const done = await fetch(`${objects}/${encodeURIComponent(name)}`, { method: "DELETE", signal: AbortSignal.timeout(WITHIN_MS) });
    await done.arrayBuffer();
    if (done.status >= 400 && done.status !== 404) throw new Error(`${name}: status ${done.status}`);
  }
}

module.exports = { removePhotos };
