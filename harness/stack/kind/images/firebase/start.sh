#!/bin/sh
# start PART PORT: becomes that Firebase part, for the project of FIREBASE_PROJECT_ID.
set -eu
project=${FIREBASE_PROJECT_ID:-demo-tekutoko}
part=$1 port=$2
python() { exec python3 -m "harness.stack.firebase.$part" --host 0.0.0.0 --port "$port" "$@"; }
case $part in
auth) exec node --max-semi-space-size=16 harness/stack/firebase/node/auth.js /srv/node_modules "$project" 0.0.0.0 "$port" ;;
firestore) exec node harness/stack/firebase/node/firestore.js /srv/node_modules "$project" 0.0.0.0 "$port" ;;
remote_config) python ;;
storage) python --bucket "$project.appspot.com" ;;
*) echo "start: no part $part; there are auth, firestore, remote_config, storage" >&2 && exit 2 ;;
esac
