#!/usr/bin/env bash
# A whole deployment on this machine: Prefect server, process work pool, deployments, one worker.
# Stays in the foreground; Ctrl-C stops all of it. PORT chooses the server's port (4200).
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
export DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
port=${PORT:-4200}
export PREFECT_API_URL="http://127.0.0.1:$port/api"

server='' worker=''
stop() { # the worker first: without its server it would not end
    for process in $worker $server; do
        kill "$process" 2>/dev/null || continue
        for _ in {1..20}; do
            kill -0 "$process" 2>/dev/null || break
            sleep 0.5
        done
        kill "$process" 2>/dev/null || true # insists: a Prefect worker sometimes misses the first
        wait "$process" || true
    done
}
set -m # else background jobs would ignore the SIGINT that a Prefect worker ends by
trap stop EXIT
trap 'exit 130' INT TERM

prefect server start --port "$port" &
server=$!
until python -c "import urllib.request as r; r.urlopen('$PREFECT_API_URL/health')" 2>/dev/null; do
    kill -0 "$server" || { echo "the Prefect server did not start" >&2; exit 1; }
    sleep 1
done

prefect work-pool inspect easi3r >/dev/null 2>&1 || prefect work-pool create easi3r --type process
prefect --no-prompt deploy --all
prefect worker start --pool easi3r &
worker=$!
wait -n
