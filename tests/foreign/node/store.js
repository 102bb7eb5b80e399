"use strict";
const { randomUUID } = require("node:crypto");
const pg = require("pg");
const { also, fault } = require("./flags");
const { Invalid, NotFound } = require("./input");

// pg gives bigint and numeric as texts; the numbers of a walk fit a double.
if (!fault("numbers_as_text")) pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
// A column without zone holds UTC; pg would take it for the machine's own time.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMP, (text) => new Date(`${text.replace(" ", "T")}Z`));

const TIME = also("timestamp_columns") ? "timestamp(3)" : "timestamptz(3)";
const NOW = also("timestamp_columns") ? "(now() AT TIME ZONE 'utc')" : "now()";
const CLOCK = also("timestamp_columns") ? "(clock_timestamp() AT TIME ZONE 'utc')" : "clock_timestamp()";
const REAL = also("numeric_columns") || fault("numbers_as_text") ? "numeric(16,7)" : "double precision";
const OWNER = fault("no_user_row") ? "" : "REFERENCES users (id) ON DELETE SET NULL";
const MORE = also("extra_columns")
  ? "schema_version int NOT NULL DEFAULT 3, tags text[] NOT NULL DEFAULT '{}', extra jsonb, kilometres double precision GENERATED ALWAYS AS (total_distance / 1000) STORED,"
  : "";

// Milliseconds are what JavaScript's Date keeps, so they are what the columns keep.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS users (id varchar(255) PRIMARY KEY, display_name text, auth_provider text,
  created_at ${TIME} NOT NULL DEFAULT ${NOW}, updated_at ${TIME} NOT NULL DEFAULT ${NOW});
CREATE TABLE IF NOT EXISTS walks (${MORE} id uuid PRIMARY KEY, user_id varchar(255) ${OWNER},
  title varchar(255) NOT NULL DEFAULT '', description text NOT NULL DEFAULT '', start_time ${TIME}, end_time ${TIME},
  total_distance ${REAL} NOT NULL DEFAULT 0 CHECK (total_distance >= 0), total_steps int8 NOT NULL DEFAULT 0 CHECK (total_steps >= 0),
  polyline_data text, thumbnail_image_url varchar(500), status varchar(20) NOT NULL DEFAULT 'not_started', paused_at ${TIME},
  total_paused_duration ${REAL} NOT NULL DEFAULT 0 CHECK (total_paused_duration >= 0),
  created_at ${TIME} NOT NULL DEFAULT ${NOW}, updated_at ${TIME} NOT NULL DEFAULT ${NOW}, nth bigserial,
  CHECK (end_time IS NULL OR (start_time IS NOT NULL AND end_time >= start_time)));
CREATE INDEX IF NOT EXISTS walks_of_user ON walks (user_id, created_at DESC, nth DESC);
CREATE TABLE IF NOT EXISTS walk_locations (walk_id uuid NOT NULL REFERENCES walks (id) ON DELETE CASCADE,
  sequence_number int8 NOT NULL, latitude ${REAL} NOT NULL, longitude ${REAL} NOT NULL, altitude ${REAL}, "timestamp" ${TIME} NOT NULL,
  horizontal_accuracy ${REAL}, vertical_accuracy ${REAL}, speed ${REAL}, course ${REAL}, PRIMARY KEY (walk_id, sequence_number));
CREATE TABLE IF NOT EXISTS consents (id uuid PRIMARY KEY, user_id varchar(255) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  policy_version text NOT NULL, consent_type text NOT NULL, consented_at ${TIME} NOT NULL, platform text, os_version text, app_version text);
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := ${CLOCK}; RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER walks_touch BEFORE UPDATE ON walks FOR EACH ROW EXECUTE FUNCTION touch();
${also("extra_columns") ? "CREATE TABLE IF NOT EXISTS sessions (id serial PRIMARY KEY, user_id text, opened_at date DEFAULT current_date);" : ""}
`;
const MIGRATION_LOCK = 8_812_004;
const WALK = `id, user_id, title, description, start_time, end_time, paused_at, total_distance, total_steps, polyline_data,
  thumbnail_image_url, status, total_paused_duration, created_at, updated_at`;
const CHANGEABLE = ["title", "description", "start_time", "end_time", "paused_at", "total_distance", "total_steps", "polyline_data",
  "thumbnail_image_url", "status", "total_paused_duration"];
const EMPTY = { title: "", description: "", total_distance: 0, total_steps: 0, status: "not_started", total_paused_duration: 0 };
const POINT = ["sequence_number", "latitude", "longitude", "altitude", "timestamp", "horizontal_accuracy", "vertical_accuracy", "speed", "course"];
const PARTS = POINT.filter((name) => name !== "sequence_number").map((name) => `"${name}" = excluded."${name}"`).join(", ");

/** Walks in PostgreSQL. */
class Store {
  #pool;

  constructor() {
    const { DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME } = process.env;
    this.#pool = new pg.Pool({
      host: DB_HOST, port: Number(DB_PORT), user: DB_USER, password: DB_PASSWORD, database: DB_NAME, max: 12,
      connectionTimeoutMillis: 8000, options: also("tokyo_session") ? "-c timezone=Asia/Tokyo" : "-c timezone=UTC",
    });
    this.#pool.on("error", () => {}); // an idle connection broke: the next request takes another
  }

  async migrate() {
    await this.#within(async (client) => {
      await client.query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
      await client.query(SCHEMA);
    });
  }

  async ping() {
    let late;
    const timeout = new Promise((_, fail) => { late = setTimeout(() => fail(new Error("no answer")), 2000); });
    try {
      await Promise.race([this.#pool.query("SELECT 1"), timeout]);
    } finally {
      clearTimeout(late);
    }
  }

  close() {
    return this.#pool.end();
  }

  async ensureUser(uid) {
    await this.#pool.query("INSERT INTO users (id, auth_provider) VALUES ($1, 'firebase') ON CONFLICT DO NOTHING", [uid]);
  }

  async list(uid, page, limit) {
    const whose = fault("soft_deleted_listed") ? "(user_id = $1 OR user_id = 'deleted ' || $1)" : "user_id = $1";
    const [{ count }] = (await this.#pool.query(`SELECT count(*) FROM walks WHERE ${whose}`, [uid])).rows;
    const { rows } = await this.#pool.query(
      `SELECT ${WALK} FROM walks WHERE ${whose} ORDER BY created_at DESC, nth DESC LIMIT $2 OFFSET $3`, [uid, limit, (page - 1) * limit]);
    const total = fault("total_count_of_page") ? rows.length : count;
    return { walks: rows, total_count: fault("count_as_text") ? String(total) : total };
  }

  async create(uid, walk) {
    const { rows } = await this.#pool.query(
      `INSERT INTO walks (id, user_id, title, description) VALUES ($1, $2, $3, $4) RETURNING ${WALK}`,
      [randomUUID(), uid, walk.title, walk.description ?? ""]);
    return rows[0];
  }

  async get(uid, id) {
    const walk = await this.read(id);
    if (walk === undefined || walk.user_id !== uid) throw new NotFound("no such walk");
    return walk;
  }

  async put(uid, id, change) {
    return this.#within(async (client) => {
      await client.query("INSERT INTO walks (id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", [id, uid]);
      const [held] = (await client.query("SELECT user_id FROM walks WHERE id = $1 FOR UPDATE", [id])).rows;
      if (held?.user_id !== uid) throw new NotFound("no such walk");
      const values = fault("put_replaces_all") ? { ...Object.fromEntries(CHANGEABLE.map((name) => [name, null])), ...EMPTY, ...change } : change;
      const named = CHANGEABLE.filter((name) => values[name] !== undefined);
      const sets = named.map((name, index) => `${name} = $${index + 2}`).join(", ") || "title = title";
      const { rows } = await client.query(`UPDATE walks SET ${sets} WHERE id = $1 RETURNING ${WALK}`,
        [id, ...named.map((name) => column(name, values[name]))]);
      await this.#locations(client, id, change.locations ?? []);
      return rows[0];
    });
  }

  async #locations(client, id, sent) {
    if (sent.length === 0) return;
    if (fault("locations_replaced_whole")) await client.query("DELETE FROM walk_locations WHERE walk_id = $1", [id]);
    const last = [...new Map(sent.map((each) => [each.sequence_number, each])).values()];
    const rows = last.map((each) => Object.fromEntries(POINT.map((name) => [name, column(name, each[name] ?? null)])));
    await client.query(
      `INSERT INTO walk_locations (walk_id, ${POINT.map((name) => `"${name}"`).join(", ")})
       SELECT $1, ${POINT.map((name) => `"${name}"`).join(", ")} FROM json_to_recordset($2) AS sent (sequence_number int8, latitude ${REAL},
         longitude ${REAL}, altitude ${REAL}, "timestamp" ${TIME}, horizontal_accuracy ${REAL}, vertical_accuracy ${REAL}, speed ${REAL},
         course ${REAL}) ON CONFLICT (walk_id, sequence_number) DO UPDATE SET ${PARTS}`, [id, JSON.stringify(rows)]);
  }

  async remove(uid, id) {
    if (fault("soft_deleted_listed")) await this.ensureUser(`deleted ${uid}`);
    const { rowCount } = fault("soft_deleted_listed")
      ? await this.#pool.query("UPDATE walks SET user_id = 'deleted ' || user_id WHERE id = $1 AND user_id = $2", [id, uid])
      : await this.#pool.query("DELETE FROM walks WHERE id = $1 AND user_id = $2", [id, uid]);
    if (rowCount === 0) throw new NotFound("no such walk");
  }

  /** The walk with its locations, whoever's it is; undefined when there is none. */
  async read(id, client = this.#pool) {
    const [walk] = (await client.query(`SELECT ${WALK} FROM walks WHERE id = $1`, [id])).rows;
    if (walk === undefined) return undefined;
    const { rows } = await client.query(
      `SELECT ${POINT.map((name) => `"${name}"`).join(", ")} FROM walk_locations WHERE walk_id = $1 ORDER BY sequence_number`, [id]);
    return { ...walk, locations: rows };
  }

  /** Runs `act` with the walk as it is now, while no other pod does so for the same walk. */
  async alone(id, act) {
    await this.#within(async (client) => {
      await client.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [id]);
      await act(await this.read(id, client));
    });
  }

  async #within(act) {
    const client = await this.#pool.connect();
    let broken;
    try {
      await client.query("BEGIN");
      const made = await act(client);
      await client.query("COMMIT");
      return made;
    } catch (error) {
      await client.query("ROLLBACK").catch((why) => { broken = why; });
      throw /^2[23]/.test(error.code ?? "") ? new Invalid("the values do not fit together") : error;
    } finally {
      client.release(broken);
    }
  }
}

/** A time as UTC text: pg would write a Date in the machine's own zone. */
function column(name, value) {
  const isTime = value !== null && (name === "timestamp" || name.endsWith("_time") || name === "paused_at");
  return isTime ? new Date(value).toISOString() : value;
}

module.exports = { Store };
