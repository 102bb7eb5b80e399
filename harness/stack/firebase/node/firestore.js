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
// How tests empty it between them (tests/migration/stores.py): bytes in and out, on the emulator's own port.
const raw = (bytes) => bytes;
const Clear = {
  path: "/rehearsal.Firestore/Clear", requestStream: false, responseStream: false,
  requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw,
};
emulator.server.addService({ Clear }, { Clear: (_call, done) => done(null, Buffer.from(String(emulator.state.clear() ?? ""))) });
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
