#!/usr/bin/env bash
# The demonstration on the developer's server: dev/demo.sql, then how to go on.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
cd "$ROOT" # load.sql names its files from here

url=$(dev/server.sh url)
step "the demonstration (dev/demo.sql, schema demo)"
PGCLIENTENCODING=UTF8 dev/server.sh psql -X -v drawing="$DEV_DIR/demo-recall.svg" -f dev/demo.sql
echo
echo 'To go on:'
printf '  %-28s %s\n' "make psql$CHOICE" 'a session of your own; first: SET search_path = demo, public;' \
    "psql \"\$(make -s url$CHOICE)\"" 'the same with your own psql' \
    "make status$CHOICE" 'where the log, the port and the data are' \
    "make down$CHOICE" 'stop the server'
echo "The address is $url"
