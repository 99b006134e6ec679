#!/usr/bin/env bash
# Measures Convert-Qcow2Image in a PowerShell session that stays open, beside a process of qemu-img for each conversion. Called by run.sh; alone:
# session.sh ROUNDS FOLDER MODULE RESULTS. FOLDER has the images of prepare.sh, and needs 8 GB more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=$1 data=$2 module=$3 results=$4 out=$2/session
rm -rf "$out"
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT
cd "$out"

scratch=$out
. "$here/measure.sh"

coproc session { exec pwsh -NoProfile -NonInteractive -File "$here/session.ps1" "$module"; }
to_session=${session[1]} from_session=${session[0]} session_id=$session_PID # Bash forgets its own names for them when the session ends.

# in_session PARAMETERS: a call in the session; sets $seconds, $cpu and $peak.
in_session() {
    local state
    echo "$1" >&"$to_session"
    read -r state seconds cpu peak <&"$from_session"
    [[ $state == ok ]] || { echo "$1: $seconds $cpu $peak" >&2; exit 1; }
}

# row NAME SOURCE DESTINATION PARAMETERS QEMU-OPTIONS...: two rounds that do not count warm the session up, and what it made is compared.
row() {
    local name=$1 source=$2 destination=$3 round seconds cpu peak
    local parameters="{\"LiteralPath\":\"$data/$2\",\"DestinationPath\":\"$out/$3\"$4}"
    shift 4
    for ((round = -2; round < rounds; round++)); do
        if ((round >= 0)); then
            settle "$destination"
            run "$name" qemu-img qemu-img convert "$@" "$data/$source" "$destination"
        fi
        settle "$destination"
        in_session "$parameters"
        if ((round >= 0)); then
            printf '%s\tsession\t%.4f\t%.2f\t%d\n' "$name" "$seconds" "$cpu" "$peak" | tee -a "$results" >&2
        else
            qemu-img compare -q -f raw -F "${destination##*.}" "$data/root.raw" "$destination"
        fi
    done
    rm "$destination"
}

row 'plain to raw' plain.qcow2 disk.raw '' -f qcow2 -O raw
row 'deflate to raw' deflate.qcow2 disk.raw '' -f qcow2 -O raw
row 'zstd to raw' zstd.qcow2 disk.raw '' -f qcow2 -O raw
row 'raw to plain' root.raw disk.qcow2 '' -f raw -O qcow2
row 'raw to zstd, qemu-img -W -m 16' root.raw disk.qcow2 ',"Compress":true,"CompressionType":"Zstd"' -f raw -O qcow2 -c -o compression_type=zstd -W -m 16
row 'raw to deflate, qemu-img -W -m 16' root.raw disk.qcow2 ',"Compress":true' -f raw -O qcow2 -c -W -m 16

exec {to_session}>&-
wait "$session_id"
