#!/bin/sh
# Roles and databases of both sites. The postgres image runs it once, when its data folder is empty.
set -eu

psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" \
     --set=writer="$OPSDB_WRITER_PASSWORD" --set=reader="$OPSDB_READER_PASSWORD" <<'SQL'
CREATE ROLE chasqui_projector LOGIN PASSWORD :'writer';
CREATE ROLE chasqui_reader LOGIN PASSWORD :'reader';
CREATE DATABASE opsdb_chile OWNER chasqui_projector;
CREATE DATABASE opsdb_cologne OWNER chasqui_projector;
SQL
