# Starts an S3 server with the bucket `bench` under Object Lock, for as long as the shell runs that sources this: store.sh FOLDER.
# Fails, saying why, where versitygw is missing.
versitygw=${VERSITYGW:-$(command -v versitygw || echo "$HOME/go/bin/versitygw")}
if [ ! -x "$versitygw" ]; then
  echo "left out: the copy in an object store (go install github.com/versity/versitygw/cmd/versitygw@v1.8.0)" >&2
  return 1
fi
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test-secret AWS_REGION=us-east-1
port=$("$PYTHON" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
export AWS_ENDPOINT_URL=http://127.0.0.1:$port
folder=$(realpath "$1")/store
mkdir -p "$folder/data" "$folder/versions" "$folder/iam"
ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY "$versitygw" --port "127.0.0.1:$port" --quiet --iam-dir "$folder/iam" \
  posix --versioning-dir "$folder/versions" "$folder/data" >/dev/null 2>&1 </dev/null &
store=$!
trap 'kill $store' EXIT
ask() { curl -sf --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$@"; }
for ((tries = 0; tries < 300; tries++)); do
  ! ask -X PUT -H 'x-amz-bucket-object-lock-enabled: true' -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$AWS_ENDPOINT_URL/bench" || break
  kill -0 "$store" 2>/dev/null || { echo "left out: the copy in an object store (versitygw ended by itself)" >&2; return 1; }
  sleep 0.1
done
rule='<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>'
ask -X PUT -d "$rule" -H "x-amz-checksum-sha256: $(printf %s "$rule" | openssl dgst -sha256 -binary | base64)" \
  -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$AWS_ENDPOINT_URL/bench?object-lock="
