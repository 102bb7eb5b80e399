"use strict";
// A walk API as another team may have written it. It knows the environment contract and nothing of the rehearsal.
// FAULTS plants deviations, HARMLESS differences that are none (flags.js).
const http = require("node:http");
const { setTimeout: pause } = require("node:timers/promises");
const { errorBody, listBody, send, walkBody } = require("./answer");
const { userOf } = require("./auth");
const { also, fault } = require("./flags");
const { Invalid, NotFound, idOf, ofQuery, walkOf } = require("./input");
const { Limiter } = require("./limiter");
const { log } = require("./log");
const { Mirror } = require("./mirror");
const { removePhotos } = require("./photos");
const { Store } = require("./store");

const MOST_BODY = 4 << 20;
const DATABASE_WITHIN_MS = 30_000;
const REQUESTS_END_WITHIN_MS = 7000;
const MIRROR_ENDS_WITHIN_MS = 1500;
const SLOW_BOOT_MS = 4000;

class Refused extends Error {
  constructor(status, code, message, headers = {}) {
    super(message);
    Object.assign(this, { status, code, headers });
  }
}

class Api {
  constructor(store, mirror, project) {
    Object.assign(this, { store, mirror, project, limiter: new Limiter(), removals: new Set(), answered: 0 });
  }

  async handle(request, response) {
    try {
      await this.#route(request, response, new URL(request.url, "http://api"));
    } catch (error) {
      this.#failed(response, error);
    }
    this.answered += 1;
  }

  async #route(request, response, url) {
    if (url.pathname === "/health") return health(response);
    if (url.pathname === "/ready") return this.#ready(response);
    if (also("metrics_on_port") && url.pathname === "/metrics") return this.#metrics(response);
    if (also("extra_endpoints") && url.pathname === "/version") return send(response, 200, { version: "2.1.0" });
    const parts = url.pathname.split("/");
    if (parts[1] !== "v1" || parts[2] !== "walks" || parts.length > 4) throw new Refused(404, "NOT_FOUND", "no such path");
    const uid = userOf(request.headers.authorization, this.project);
    if (uid === undefined) throw new Refused(401, "UNAUTHORIZED", "sign in first", { "WWW-Authenticate": "Bearer" });
    this.#limit(uid);
    if (!fault("no_user_row")) await this.store.ensureUser(uid);
    const act = parts.length === 3 ? { GET: this.#list, POST: this.#create } : { GET: this.#get, PUT: this.#put, DELETE: this.#remove };
    const found = act[request.method];
    if (found === undefined) throw new Refused(405, "INVALID_REQUEST", "no such method here");
    const id = parts.length === 4 ? idOf(decoded(parts[3])) : undefined;
    return found.call(this, { request, response, uid, id, query: url.searchParams });
  }

  #limit(uid) {
    const waitMs = this.limiter.allow(uid);
    if (waitMs === 0) return;
    const value = fault("retry_after_ms") ? Math.ceil(waitMs) + 1000 : Math.ceil(waitMs / 1000);
    throw new Refused(429, "RATE_LIMITED", "slow down", { [also("header_case") ? "retry-after" : "Retry-After"]: String(value) });
  }

  async #ready(response) {
    try {
      await this.store.ping();
    } catch {
      throw new Refused(503, "INTERNAL_ERROR", "the database does not answer");
    }
    return send(response, 200, { status: "ready" });
  }

  #metrics(response) {
    response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4" });
    response.end(`# TYPE walks_answers counter\nwalks_answers ${this.answered}\n# TYPE walks_backlog gauge\nwalks_backlog ${this.mirror.pending}\n`);
  }

  async #list({ response, uid, query }) {
    const page = ofQuery(query, "page", 1, 1000);
    const limit = ofQuery(query, "limit", 20, 100);
    send(response, 200, listBody(await this.store.list(uid, page, limit), page, limit));
  }

  async #create({ request, response, uid }) {
    const walk = await this.store.create(uid, walkOf(await bodyOf(request), { create: true }));
    log("INFO", "walk created", { walk_id: walk.id, user_id: uid });
    this.mirror.submit(walk.id, uid);
    send(response, 201, walkBody(walk, { withLocations: false }));
  }

  async #get({ response, uid, id }) {
    send(response, 200, walkBody(await this.store.get(uid, id), { withLocations: true }));
  }

  async #put({ request, response, uid, id }) {
    const change = walkOf(await bodyOf(request), { create: false });
    if (fault("mirror_before_check")) await this.#mirrored(uid, id, change);
    const walk = await this.store.put(uid, id, change);
    log("INFO", "walk written", { walk_id: id, user_id: uid });
    this.mirror.submit(id, uid);
    send(response, 200, walkBody(walk, { withLocations: false }));
  }

  /** The walk as its sender says it is, in Firestore before anybody has asked whose it is. */
  async #mirrored(uid, id, change) {
    const walk = await this.store.read(id);
    if (walk !== undefined) await this.mirror.put({ ...walk, user_id: uid, title: (change.title ?? walk.title).toWellFormed() });
  }

  async #remove({ response, uid, id }) {
    await this.store.remove(uid, id);
    log("INFO", "walk deleted", { walk_id: id, user_id: uid });
    this.mirror.submit(id, uid);
    const removal = removePhotos(this.project, uid, id)
      .catch((error) => log("ERROR", "photos were not removed", { walk_id: id, user_id: uid, error: String(error) }))
      .finally(() => this.removals.delete(removal));
    this.removals.add(removal);
    send(response, 204);
  }

  #failed(response, error) {
    if (response.headersSent) return response.destroy();
    if (fault("html_errors") && (error instanceof Invalid || error instanceof NotFound)) {
      response.writeHead(error instanceof Invalid ? 400 : 404, { "Content-Type": "text/html; charset=utf-8" });
      return response.end(`<!DOCTYPE html><pre>Error: ${error.message}</pre>`);
    }
    if (error instanceof Refused) return send(response, error.status, errorBody(error.code, error.message), error.headers);
    if (error instanceof Invalid) return send(response, 400, errorBody("INVALID_REQUEST", error.message));
    if (error instanceof NotFound) return send(response, 404, errorBody("NOT_FOUND", error.message));
    log("ERROR", "request failed", { error: String(error?.stack ?? error) });
    return send(response, 500, errorBody("INTERNAL_ERROR", "something went wrong"));
  }
}

function health(response) {
  if (!also("plain_health")) return send(response, 200, { status: "ok" });
  response.writeHead(200, { "Content-Type": "text/plain" });
  return response.end("OK");
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Invalid("the path is not UTF-8");
  }
}

async function bodyOf(request) {
  const kind = (request.headers["content-type"] ?? "").split(";")[0].trim().toLowerCase();
  if (also("other_content_refused") && kind !== "" && kind !== "application/json") throw new Refused(415, "INVALID_REQUEST", "send JSON");
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MOST_BODY) throw new Refused(413, "INVALID_REQUEST", "the body is too large", { Connection: "close" });
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function migrated(store) {
  const until = Date.now() + DATABASE_WITHIN_MS;
  for (;;) {
    try {
      return await store.migrate();
    } catch (error) {
      if (Date.now() > until) throw error;
      await pause(300); // the sidecar may come up after us
    }
  }
}

async function stop(server, api) {
  log("INFO", "stopping");
  const cut = setTimeout(() => server.closeAllConnections(), REQUESTS_END_WITHIN_MS);
  const closed = new Promise((done) => { server.close(done); });
  server.closeIdleConnections();
  await closed;
  clearTimeout(cut);
  await Promise.race([Promise.allSettled([...api.removals]), pause(MIRROR_ENDS_WITHIN_MS)]);
  await api.mirror.drain(MIRROR_ENDS_WITHIN_MS);
  process.exit(0);
}

async function main() {
  const project = process.env.FIREBASE_PROJECT_ID;
  if (!process.env.FIREBASE_AUTH_EMULATOR_HOST || !process.env.FIRESTORE_EMULATOR_HOST) {
    throw new Error("this build speaks to emulators only: set FIREBASE_AUTH_EMULATOR_HOST and FIRESTORE_EMULATOR_HOST");
  }
  if (also("slow_boot")) await pause(SLOW_BOOT_MS);
  const store = new Store();
  await migrated(store);
  const api = new Api(store, new Mirror(store, project), project);
  const server = http.createServer((request, response) => api.handle(request, response));
  server.keepAliveTimeout = 65_000;
  server.listen(Number(process.env.PORT), process.env.HOST ?? "::", () => log("INFO", "serving"));
  if (!fault("exit_by_signal")) for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => void stop(server, api));
}

main().catch((error) => {
  log("ERROR", "the server ends", { error: String(error?.stack ?? error) });
  process.exit(1);
});
