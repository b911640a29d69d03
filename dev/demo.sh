#!/usr/bin/env bash
# The demonstration on the developer's server: dev/demo.sql, then how to go on.
source "$(dirname "$0")/lib.sh"
cd "$ROOT" || exit # load.sql names its files from here

url=$(dev/server.sh url)
step "the demonstration (dev/demo.sql, schema demo)"
PGCLIENTENCODING=UTF8 dev/server.sh psql -X -f dev/demo.sql
cat <<END

To go on:
  make psql                       a session of your own; first: SET search_path = demo, public;
  psql "\$(make -s url)"           the same with your own psql
  make status                     where the log, the port and the data are
  make down                       stop the server
The address is $url
END
