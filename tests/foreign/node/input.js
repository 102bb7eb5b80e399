"use strict";

/** What the caller got wrong. */
class Invalid extends Error {}
/** No walk, or another user's: the caller hears the same. */
class NotFound extends Error {}

const STATUSES = ["not_started", "in_progress", "paused", "completed"];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

const text = (least, most) => (value, name) => {
  if (typeof value !== "string" || value.includes("\0")) throw new Invalid(`${name} must be a text`);
  const count = [...value].length;
  if (count < least || count > most) throw new Invalid(`${name} must have ${least} to ${most} characters`);
};
const number = (least, most) => (value, name) => {
  if (typeof value !== "number" || !Number.isFinite(value) || value < least || value > most) {
    throw new Invalid(`${name} must be a number of ${least} to ${most}`);
  }
};
const whole = (value, name) => {
  if (!Number.isSafeInteger(value) || value < 0) throw new Invalid(`${name} must be a whole number`);
};
const time = (value, name) => {
  if (typeof value !== "string" || !TIME.test(value) || Number.isNaN(Date.parse(value))) throw new Invalid(`${name} must be RFC 3339`);
};
const status = (value, name) => {
  if (!STATUSES.includes(value)) throw new Invalid(`${name} must be one of ${STATUSES.join(", ")}`);
};

const WALK = {
  title: text(1, 255), description: text(0, 1000), start_time: time, end_time: time, paused_at: time,
  total_distance: number(0, 1e9), total_steps: whole, polyline_data: text(0, 1 << 20), thumbnail_image_url: text(0, 500),
  status, total_paused_duration: number(0, 1e9),
};
const ANY = number(-1e9, 1e9);
const LOCATION = { sequence_number: whole, latitude: number(-90, 90), longitude: number(-180, 180), timestamp: time };
const UNKNOWN = { altitude: ANY, horizontal_accuracy: ANY, vertical_accuracy: ANY, speed: ANY, course: ANY };
const given = (value) => value !== undefined && value !== null;

/** The fields of a body that are given, checked. Throws Invalid. */
function walkOf(raw, { create }) {
  let body;
  try {
    body = JSON.parse(raw.toString("utf8"));
  } catch {
    throw new Invalid("the body is no JSON");
  }
  if (body === null || typeof body !== "object" || Array.isArray(body)) throw new Invalid("the body must be an object");
  if (create && !given(body.title)) throw new Invalid("title is required");
  const found = {};
  for (const [name, check] of Object.entries(WALK)) {
    if (!given(body[name])) continue;
    check(body[name], name);
    found[name] = body[name];
  }
  if (given(body.locations)) found.locations = locationsOf(body.locations);
  return found;
}

function locationsOf(sent) {
  if (!Array.isArray(sent)) throw new Invalid("locations must be a list");
  return sent.map((each) => {
    if (each === null || typeof each !== "object") throw new Invalid("a location must be an object");
    for (const [name, check] of Object.entries(LOCATION)) check(each[name], name);
    for (const [name, check] of Object.entries(UNKNOWN)) if (given(each[name])) check(each[name], name);
    return each;
  });
}

/** The id in lower case. Throws Invalid. */
function idOf(word) {
  if (!UUID.test(word)) throw new Invalid("the id must be a UUID");
  return word.toLowerCase();
}

/** A number of the query. Throws Invalid. */
function ofQuery(query, name, otherwise, most) {
  const word = query.get(name);
  if (word === null) return otherwise;
  const value = /^\d{1,9}$/.test(word) ? Number(word) : 0;
  if (value < 1 || value > most) throw new Invalid(`${name} must be 1 to ${most}`);
  return value;
}

module.exports = { Invalid, NotFound, walkOf, idOf, ofQuery };
