#!/usr/bin/env bash
# Measures copies over NBD beside qemu-nbd: nbdcopy reads a disk from either server, through a Unix socket, and one of them also through TLS. Called by hand: nbd.sh ROUNDS FOLDER PROGRAM RESULTS
# FOLDER has root.raw, plain.qcow2 and deflate.qcow2 (prepare.sh). Each run becomes two lines: the copy with its time, and the server with its CPU time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=$1 data=$2 ours=$3 results=$4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
. "$here/measure.sh"

# What TLS needs: an authority, and a certificate of the server.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=authority" -keyout "$scratch/ca-key.pem" -out "$scratch/ca-cert.pem" 2> /dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=localhost" -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
    -CA "$scratch/ca-cert.pem" -CAkey "$scratch/ca-key.pem" -keyout "$scratch/server-key.pem" -out "$scratch/server-cert.pem" 2> /dev/null

# copy_from ROW PROGRAM SERVER...: starts a server, copies its disk, and waits for it to end; through TLS if $tls says so.
copy_from() {
    local row=$1 program=$2 socket=$scratch/socket user system peak
    shift 2
    rm -f "$socket"
    [[ $destination == null: ]] || settle "$destination"
    /usr/bin/time --quiet --output="$scratch/server" --format='%U %S %M' "$@" &
    until [[ -S $socket ]]; do sleep 0.05; done
    run "$row" "$program" nbdcopy "nbd${tls:+s}+unix:///?socket=$socket${tls:+&tls-certificates=$scratch}" "$destination"
    wait
    read -r user system peak < "$scratch/server"
    LC_ALL=C awk -v row="$row (server)" -v program="$program" -v user="$user" -v sys="$system" -v peak="$peak" \
        'BEGIN { printf "%s\t%s\t%.4f\t%.2f\t%d\n", row, program, user + sys, user + sys, peak }' | tee -a "$results" >&2
}

tls=
for ((round = 0; round < rounds; round++)); do
    for image in root.raw plain.qcow2 deflate.qcow2; do
        format=qcow2
        [[ $image != *.raw ]] || format=raw
        for destination in null: "$scratch/copy"; do
            row="nbdcopy $image to ${destination##*/}"
            copy_from "$row" qemu-nbd qemu-nbd --read-only --shared=16 --socket="$scratch/socket" --format="$format" "$data/$image"
            copy_from "$row" engine "$ours" serve-nbd "$data/$image" "$scratch/socket"
            if ((round == 0)) && [[ $destination != null: ]]; then
                cmp "$destination" "$data/root.raw"
            fi
        done
    done
    tls=yes
    destination=null:
    for image in root.raw plain.qcow2; do
        format=qcow2
        [[ $image != *.raw ]] || format=raw
        row="nbdcopy $image to null through TLS"
        copy_from "$row" qemu-nbd qemu-nbd --read-only --shared=16 --socket="$scratch/socket" --format="$format" \
            --object="tls-creds-x509,id=tls,endpoint=server,dir=$scratch,verify-peer=no" --tls-creds=tls "$data/$image"
        copy_from "$row" engine "$ours" serve-nbd "$data/$image" "$scratch/socket" "$scratch"
    done
    tls=
done
