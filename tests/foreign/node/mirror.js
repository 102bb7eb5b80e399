"use strict";
const { v1 } = require("@google-cloud/firestore");
const { credentials } = require("@grpc/grpc-js");
const { fault } = require("./flags");
const { log } = require("./log");

const WITHIN_MS = 5000;
const AT_ONCE = 4;
const OWNER = { otherArgs: { headers: { authorization: "Bearer owner" } } }; // the emulator's word for a service account

/** Writes walks to Firestore after PostgreSQL has them: the walk as it is by then, one write of a walk at a time. */
class Mirror {
  #store;
  #firestore;
  #database;
  #waiting = new Map(); // walk id to user
  #running = new Set();

  constructor(store, project) {
    this.#store = store;
    // The generated client, not the convenient one, which writes a whole number as an integer: the app reads doubles.
    const [servicePath, port] = process.env.FIRESTORE_EMULATOR_HOST.split(":");
    this.#firestore = new v1.FirestoreClient({ servicePath, port: Number(port), sslCreds: credentials.createInsecure() });
    this.#database = `projects/${project}/databases/(default)`;
  }

  get pending() {
    return this.#waiting.size + this.#running.size;
  }

  submit(id, uid) {
    this.#waiting.set(id, uid);
    this.#next();
  }

  async drain(limitMs) {
    const until = Date.now() + limitMs;
    while (this.pending > 0 && Date.now() < until) await new Promise((done) => setTimeout(done, 20));
    for (const [id, uid] of this.#waiting) log("ERROR", "firestore write left undone", { walk_id: id, user_id: uid });
    await this.#firestore.close();
  }

  #next() {
    for (const [id, uid] of this.#waiting) {
      if (this.#running.size >= AT_ONCE) return;
      if (this.#running.has(id)) continue;
      this.#waiting.delete(id);
      this.#running.add(id);
      this.#one(id)
        .catch((error) => log("ERROR", "firestore write failed", { walk_id: id, user_id: uid, error: String(error) }))
        .finally(() => { this.#running.delete(id); this.#next(); });
    }
  }

  async #one(id) {
    const late = new Promise((_, fail) => { setTimeout(() => fail(new Error("too slow")), WITHIN_MS).unref(); });
    await this.#store.alone(id, (walk) => Promise.race([walk === undefined ? this.#gone(id) : this.put(walk), late]));
  }

  #gone(id) {
    return this.#commit({ delete: this.#name(id) });
  }

  put(walk) {
    return this.#commit({ update: { name: this.#name(walk.id), fields: documentOf(walk) } });
  }

  #name(id) {
    return `${this.#database}/documents/walks/${id.toUpperCase()}`;
  }

  #commit(write) {
    return this.#firestore.commit({ database: this.#database, writes: [write] }, OWNER);
  }
}

const text = (value) => ({ stringValue: value });
const integer = (value) => ({ integerValue: String(value) });
const double = (value) => (fault("whole_doubles_as_integers") && Number.isInteger(value) ? integer(value) : { doubleValue: value });
const time = (at) => ({ timestampValue: { seconds: Math.floor(at / 1000), nanos: (((at % 1000) + 1000) % 1000) * 1_000_000 } });
const known = (write, value) => (value === null || value === undefined ? undefined : write(value));

/** The document that the app reads; what is nil is absent. */
function documentOf(walk) {
  return given({
    id: text(walk.id.toUpperCase()), user_id: known(text, walk.user_id), title: text(walk.title), description: text(walk.description),
    start_time: known(time, walk.start_time), end_time: known(time, walk.end_time), paused_at: known(time, walk.paused_at),
    total_distance: double(Number(walk.total_distance)), total_steps: integer(walk.total_steps), status: text(walk.status),
    polyline_data: known(text, walk.polyline_data), thumbnail_image_url: known(text, walk.thumbnail_image_url),
    total_paused_duration: double(Number(walk.total_paused_duration)), created_at: time(walk.created_at), updated_at: time(walk.updated_at),
    location_data: { arrayValue: { values: walk.locations.map((point) => ({ mapValue: { fields: pointOf(point) } })) } },
  });
}

function pointOf(point) {
  const real = (value) => double(Number(value));
  return given({
    latitude: real(point.latitude), longitude: real(point.longitude), timestamp: time(point.timestamp), altitude: known(real, point.altitude),
    horizontalAccuracy: known(real, point.horizontal_accuracy), verticalAccuracy: known(real, point.vertical_accuracy),
    speed: real(point.speed ?? -1), course: real(point.course ?? -1),
  });
}

const given = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

module.exports = { Mirror };
