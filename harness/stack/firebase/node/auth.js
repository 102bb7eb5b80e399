// Starts the real Firebase Auth emulator without the firebase command line (which costs 10 s more).
// Arguments: node_modules folder, project id, host, port. Prints one line when it listens; ends on SIGTERM or SIGINT.
"use strict";
const path = require("node:path");

const [tree, projectId, host, port] = process.argv.slice(2);
if (!port) {
  console.error("usage: auth.js NODE_MODULES PROJECT HOST PORT");
  process.exit(2);
}
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));

// The emulator compiles the JSON schemas of its whole API at start: 5 s of CPU and 200 MB. Its router has an option of
// its own to compile each at its first use; the schemas, and so every answer, stay the same.
const router = require(path.join(tree, "exegesis-express"));
const { middleware } = router;
router.middleware = (document, options) => middleware(document, { ...options, lazyCompileValidationSchemas: true });

const auth = path.join(tree, "firebase-tools", "lib", "emulator", "auth");
const { createApp } = require(path.join(auth, "server"));
const { SingleProjectMode } = require(auth);

createApp(projectId, SingleProjectMode.NO_WARNING)
  .then((app) => {
    const server = app.listen(Number(port), host, () => console.log(`auth emulator on ${host}:${port}`));
    server.on("error", (error) => {
      console.error(`auth emulator: ${error.message}`);
      process.exit(1);
    });
  })
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
