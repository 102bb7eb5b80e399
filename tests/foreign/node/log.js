"use strict";
const { randomUUID } = require("node:crypto");
const { also, fault } = require("./flags");

const NUMBERS = { DEBUG: 20, INFO: 30, WARNING: 40, ERROR: 50 };

/** One JSON object a line on standard output, as Cloud Logging reads it. */
function log(severity, message, fields = {}) {
  const told = { ...fields };
  if (also("log_upper_ids") && told.walk_id) told.walk_id = told.walk_id.toUpperCase();
  let line = { severity, message, timestamp: new Date().toISOString(), pod_name: process.env.POD_NAME ?? "", ...told };
  if (also("log_extras")) {
    const stamp = line.timestamp.replace(/(\.\d{3})Z$/, "$1000000+00:00");
    line = { ...told, "logging.googleapis.com/insertId": randomUUID(), pid: process.pid, context: { request: randomUUID() },
      timestamp: stamp, pod_name: line.pod_name, message, severity: severity === "INFO" ? "NOTICE" : severity };
  }
  if (fault("log_level_number")) {
    delete line.severity;
    line.level = NUMBERS[severity];
  }
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

module.exports = { log };
