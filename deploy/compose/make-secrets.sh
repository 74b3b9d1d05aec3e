#!/bin/sh
# Makes the passwords and keys that compose.yaml mounts, at random, into ./secrets (or the folder given). Never overwrites.
set -eu
umask 077
into=${1:-$(dirname "$0")/secrets}
if [ -e "$into" ]; then
    echo "$into is there already: nothing was changed" >&2
    exit 1
fi
made=$(mktemp -d "$into.XXXXXX")
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

random 24 >"$made/postgres_password"
lineal_password=$(random 24)
key=$(random 10) secret=$(random 20) admin_key=$(random 10) admin_secret=$(random 20)
printf %s "$lineal_password" >"$made/lineal_password"
printf '[lineal]\npassword=%s\n' "$lineal_password" >"$made/pg_service.conf"
printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$key" "$secret" >"$made/aws_credentials"
printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$admin_key" "$admin_secret" \
    >"$made/aws_admin_credentials"
cat >"$made/s3.json" <<JSON
{"identities": [
  {"name": "admin", "credentials": [{"accessKey": "$admin_key", "secretKey": "$admin_secret"}], "actions": ["Admin"]},
  {"name": "lineal", "credentials": [{"accessKey": "$key", "secretKey": "$secret"}],
   "actions": ["Read:lineal", "Write:lineal", "List:lineal"]}
]}
JSON
# The containers' users must be able to read the files; nobody else on this machine gets into the folder.
chmod 444 "$made"/*
mv "$made" "$into"
echo "Passwords and keys are in $into: keep a copy of them somewhere safe."
