#!/bin/sh
# Starts the database; makes it first where $PGDATA is empty. POSTGRES_PASSWORD is the password of the user postgres.
set -eu
: "${POSTGRES_PASSWORD:?the password of the user postgres}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # Through a pipe, since the root file system may be read-only.
  printf '%s\n' "$POSTGRES_PASSWORD" |
    initdb --username=postgres --pwfile=/dev/stdin --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --no-locale --no-sync
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories="$PGDATA" -c shared_preload_libraries=timescaledb \
  -c timescaledb.telemetry_level=off "$@"
