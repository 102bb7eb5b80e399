"use strict";
const { randomUUID } = require("node:crypto");
const { also, fault } = require("./flags");

const TIMES = ["start_time", "end_time", "paused_at", "created_at", "updated_at", "timestamp"];
const UNKNOWN = ["altitude", "horizontal_accuracy", "vertical_accuracy", "speed", "course"];
const INTEGERS = ["total_steps", "total_count", "page", "limit"];
const FLOAT = "\u0001"; // marks an integer that is to be written with its point; JSON.stringify escapes it

/** RFC 3339, in one of the ways that say the same instant. */
function stamp(at) {
  const utc = at.toISOString();
  if (also("jst_times")) return new Date(at.getTime() + 9 * 3_600_000).toISOString().replace("Z", "+09:00");
  if (also("plus_zero")) return utc.replace("Z", "+00:00");
  return also("nanoseconds") ? utc.replace("Z", "000000Z") : utc;
}

function walkBody(walk, { withLocations }) {
  const { locations, ...fields } = walk;
  const body = shaped(fields);
  if (also("extra_fields")) Object.assign(body, { pace: null, tags: ["散歩"], links: { self: `/v1/walks/${walk.id}` } });
  if (withLocations) body.locations = fault("locations_null") && locations.length === 0 ? null : locations.map(pointBody);
  return body;
}

function pointBody(point) {
  const body = shaped(point);
  if (also("absent_unknowns")) for (const name of UNKNOWN) if (body[name] === null) delete body[name];
  if (also("extra_fields")) body.source = "gps";
  return body;
}

function listBody({ walks, total_count }, page, limit) {
  const nothing = fault("list_null_when_empty") && walks.length === 0;
  const body = { walks: nothing ? null : walks.map((walk) => walkBody(walk, { withLocations: false })), total_count, page, limit };
  return also("extra_fields") ? { ...body, has_more: page * limit < total_count, next: null } : body;
}

function shaped(fields) {
  const body = {};
  for (const [name, value] of Object.entries(fields)) body[name] = TIMES.includes(name) && value !== null ? stamp(value) : value;
  return body;
}

function errorBody(code, message) {
  const told = also("error_texts") ? `申し訳ありません: ${message}` : message;
  return { error: also("extra_fields") ? { code, message: told, details: [], trace_id: randomUUID() } : { code, message: told } };
}

function textOf(body) {
  let content = body;
  if (also("key_order")) content = reversed(content);
  const replacer = (name, value) => (also("floats_for_integers") && INTEGERS.includes(name) ? `${FLOAT}${value}` : value);
  let text = JSON.stringify(content, replacer, also("pretty") ? 2 : undefined);
  text = text.replace(/"\\u0001(\d+)"/g, "$1.0");
  if (also("escaped_text")) text = text.replace(/[\u0080-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return also("pretty") ? `${text}\n` : text;
}

function reversed(value) {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).reverse().map(([name, each]) => [name, reversed(each)]));
}

/** Sends a JSON answer with the headers that the flags ask for. */
function send(response, status, body, headers = {}) {
  const name = also("header_case") ? "CONTENT-TYPE" : "Content-Type";
  const all = { [name]: also("charset") ? "application/json;charset=UTF-8" : "application/json", ...headers };
  if (also("extra_headers")) {
    Object.assign(all, { "x-request-id": randomUUID(), Server: "walks/2.1", "Cache-Control": "no-store", Vary: "Authorization" });
    response.sendDate = false;
  }
  if (also("connection_close")) all.Connection = "close";
  if (status === 204) {
    response.writeHead(204, also("connection_close") ? { Connection: "close" } : {});
    response.end();
    return;
  }
  const content = Buffer.from(textOf(body), "utf8");
  if (!also("chunked")) all["Content-Length"] = content.length;
  response.writeHead(status, all);
  if (also("chunked")) response.write(content.subarray(0, content.length >> 1));
  response.end(also("chunked") ? content.subarray(content.length >> 1) : content);
}

module.exports = { send, walkBody, listBody, errorBody };
