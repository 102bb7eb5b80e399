// Starts the Firestore emulator (@firestore-emulator/server: gRPC, in memory). It creates projects as they are named, so
// the project id is only printed. Arguments: node_modules folder, project id, host, port.
// Prints one line when it listens; ends on SIGTERM or SIGINT.
"use strict";
const path = require("node:path");

const [tree, projectId, host, port] = process.argv.slice(2);
if (!port) {
  console.error("usage: firestore.js NODE_MODULES PROJECT HOST PORT");
  process.exit(2);
}
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));

const server = require(path.join(tree, "@firestore-emulator", "server"));
const { ServerCredentials } = require(path.join(tree, "@grpc", "grpc-js"));

const emulator = new server.FirestoreServer();
// How kept parts are reset and proved empty (harness/stack/firebase/reset.py): bytes in and out, on the emulator's own port.
const raw = (bytes) => bytes;
const method = (name) => ({
  path: `/rehearsal.Firestore/${name}`, requestStream: false, responseStream: false,
  requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw,
});
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const below = (node) => // the documents that exist, at any depth
  sum(Object.values(node.collections).flatMap((c) => Object.values(c.documents)).map((d) => 1 + below(d)));
const count = () =>
  sum(Object.values(emulator.state.toJSON().projects).flatMap((p) => Object.values(p.databases)).map(below));
emulator.server.addService(
  { Clear: method("Clear"), Count: method("Count") },
  {
    Clear: (_call, done) => done(null, Buffer.from(String(emulator.state.clear() ?? ""))),
    Count: (_call, done) => done(null, Buffer.from(String(count()))),
  },
);
require("./queries").complete(emulator.state, server);
require("./answers").direct(tree, server);
// Its own start(port) listens on every interface of the machine; nothing of ours may but on loopback.
emulator.server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error) => {
  if (error) {
    console.error(`firestore emulator: ${error.message}`);
    process.exit(1);
  }
  console.log(`firestore emulator of ${projectId} on ${host}:${port}`);
});
