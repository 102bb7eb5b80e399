"use strict";
const { also } = require("./flags");

const MOST = 100;
const WINDOW_MS = 60_000;
const MANY = 10_000;

/** Counts requests of a user; `allow` gives 0, or the milliseconds to wait. Each pod counts for itself. */
class Limiter {
  #users = new Map();

  allow(user) {
    if (this.#users.size > MANY) this.#users.clear();
    return also("token_bucket") ? this.#bucket(user) : this.#window(user);
  }

  #window(user) {
    const now = performance.now();
    let held = this.#users.get(user);
    if (held === undefined || now - held.begun >= WINDOW_MS) this.#users.set(user, (held = { begun: now, count: 0 }));
    held.count += 1;
    return held.count > MOST ? Math.max(1, WINDOW_MS - (now - held.begun)) : 0;
  }

  #bucket(user) {
    const now = performance.now();
    const held = this.#users.get(user) ?? { at: now, left: MOST };
    held.left = Math.min(MOST, held.left + ((now - held.at) * MOST) / WINDOW_MS);
    held.at = now;
    this.#users.set(user, held);
    if (held.left < 1) return Math.max(1, ((1 - held.left) * WINDOW_MS) / MOST);
    held.left -= 1;
    return 0;
  }
}

module.exports = { Limiter };
