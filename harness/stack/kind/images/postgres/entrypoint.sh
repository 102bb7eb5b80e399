#!/bin/sh
# Makes the data folder on the first start, then becomes the server. As on Cloud SQL the application's role is no
# superuser and owns its database. POSTGRES_USER, POSTGRES_PASSWORD (the superuser's too), POSTGRES_DB.
set -eu
: "${POSTGRES_PASSWORD:?is missing: the application role needs a password}"
user=${POSTGRES_USER:-tekutoko}
database=${POSTGRES_DB:-$user}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  umask 077
  printf %s "$POSTGRES_PASSWORD" >/tmp/password
  initdb --no-sync --username=postgres --pwfile=/tmp/password --auth-local=peer --auth-host=scram-sha-256 \
    --encoding=UTF8 --no-locale -D "$PGDATA" >/dev/null
  rm /tmp/password
  printf 'host all all all scram-sha-256\nhost replication all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  # A single-user server reads one statement a line, and quotes are doubled as SQL has it.
  password=$(printf %s "$POSTGRES_PASSWORD" | sed "s/'/''/g")
  printf 'CREATE ROLE "%s" LOGIN PASSWORD '"'%s'"';\nCREATE DATABASE "%s" OWNER "%s";\n' \
    "$user" "$password" "$database" "$user" | postgres --single -D "$PGDATA" postgres >/dev/null
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c timezone=UTC -c log_timezone=UTC "$@"
