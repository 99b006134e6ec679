#!/usr/bin/env bash
# Measures this engine beside qemu-img and writes the table into README.md.
# Usage: run.sh [--rounds N] [--data FOLDER] [--only PATTERN] [--results FILE] [--note TEXT] [--no-report]
#   --rounds   runs of each program in each row, alternating (7)
#   --data     where the images are built, 15 GB, better in memory (${TMPDIR:-/dev/shm}/qcow2-benchmarks)
#   --only     only the rows whose name contains PATTERN, with --no-report implied; or 'main', 'session', 'writing', 'chains' or 'formats', only that table
#   --results  where the single runs are written, a line each (results.tsv in the data folder)
#   --note     what else a reader of the table should know of this run
# Needs qemu-img, mke2fs (e2fsprogs), GNU time and the .NET SDK; pwsh and a staged module (./build.ps1) for their rows.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=7 tables='main session writing chains formats' data=${TMPDIR:-/dev/shm}/qcow2-benchmarks only='' results='' note='' report=yes
while (($#)); do
    case $1 in
        --rounds) rounds=$2; shift 2 ;;
        --data) data=$2; shift 2 ;;
        --only)
            case $2 in main | session | writing | chains | formats) tables=$2 ;; *) only=$2 report=no ;; esac
            shift 2
            ;;
        --results) results=$2; shift 2 ;;
        --note) note=$2; shift 2 ;;
        --no-report) report=no; shift ;;
        *) sed -n '2,10s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    esac
done
has() { [[ " $tables " == *" $1 "* ]]; }

mkdir -p "$data"
results=${results:-$data/results.tsv}

# Compiled ahead, as the module's engine is.
dotnet publish -nodeReuse:false --configuration Release --runtime linux-x64 --self-contained false -p:PublishReadyToRun=true --verbosity quiet "$here/Qcow2.Benchmarks" >&2
ours=$here/Qcow2.Benchmarks/bin/Release/net10.0/linux-x64/publish/qcow2-benchmarks
! has main && ! has session && ! has formats || "$here/prepare.sh" "$data" "$ours" $(has main || { has session && echo session || echo formats; })

out=$data/out
rm -rf "$out"
mkdir "$out"
trap 'rm -rf "$out"' EXIT
cd "$data"

scratch=$out
. "$here/measure.sh"

wanted() { has main && [[ $1 == *"$only"* ]]; }

same() {
    "$@" > /dev/null || { echo "the results differ: $*" >&2; exit 1; }
}

# convert IMAGE ROW: both make a raw file of it. A first round that does not count warms up, and compares what they made.
convert() {
    local image=$1 row=$2 round
    wanted "$row" || return 0
    qemu-img convert -f qcow2 -O raw "$image" "$out/disk.raw"
    same_disk "$image"
    "$ours" convert "$image" "$out/disk.raw"
    same_disk "$image"
    for ((round = 0; round < rounds; round++)); do
        settle "$out/disk.raw"
        run "$row" qemu-img qemu-img convert -f qcow2 -O raw "$image" "$out/disk.raw"
        settle "$out/disk.raw"
        run "$row" engine "$ours" convert "$image" "$out/disk.raw"
    done
    rm "$out/disk.raw"
}

# pack ROW LAYOUT QEMU-OPTIONS...: both make a qcow2 image of the raw root file system. LAYOUT is what 'convert-qcow2' takes; what we make is
# compared and checked, and their best options get a row of their own.
pack() {
    local row=$1 layout=$2 round
    shift 2
    wanted "$row" || return 0
    "$ours" convert-qcow2 root.raw "$out/disk.qcow2" $layout
    same qemu-img compare -f raw -F qcow2 root.raw "$out/disk.qcow2"
    same qemu-img check "$out/disk.qcow2"
    for ((round = 0; round < rounds; round++)); do
        settle "$out/disk.qcow2"
        run "$row" qemu-img qemu-img convert -f raw -O qcow2 "$@" root.raw "$out/disk.qcow2"
        settle "$out/disk.qcow2"
        run "$row" engine "$ours" convert-qcow2 root.raw "$out/disk.qcow2" $layout
    done
    rm "$out/disk.qcow2"
}

# Packing 1 TiB with 100,000 clusters again: no data of holes is read, and the tables are most of the work.
repack_sparse() {
    settle "$out/disk.qcow2"
    if [[ $2 == engine ]]; then
        run "$1" engine "$ours" convert-qcow2 sparse.qcow2 "$out/disk.qcow2"
        same qemu-img check "$out/disk.qcow2"
        rm "$out/disk.qcow2"
    else
        run "$1" qemu-img qemu-img convert -f qcow2 -O qcow2 sparse.qcow2 "$out/disk.qcow2"
    fi
}

sparse_measure() {
    if [[ $2 == engine ]]; then
        run "$1" engine "$ours" measure sparse.qcow2
        same cmp "$out/engine.text" "$out/qemu-img.text"
    else
        run "$1" qemu-img qemu-img measure -O qcow2 sparse.qcow2
    fi
}

same_disk() {
    if [[ $1 == sparse.qcow2 ]]; then
        same qemu-img compare -f raw -F qcow2 "$out/disk.raw" "$1" # Skips holes: 1 TiB of them are too many for cmp.
    else
        same cmp "$out/disk.raw" root.raw
    fi
}

# alternate ROW FUNCTION: calls FUNCTION qemu-img and FUNCTION engine in turn.
alternate() {
    local row=$1 measure=$2 round
    wanted "$row" || return 0
    for ((round = 0; round < rounds; round++)); do
        "$measure" "$row" qemu-img
        "$measure" "$row" engine
    done
}

sparse_info() {
    if [[ $2 == engine ]]; then run "$1" engine "$ours" info sparse.qcow2; else run "$1" qemu-img qemu-img info sparse.qcow2; fi
}

sparse_map() {
    if [[ $2 == engine ]]; then
        run "$1" engine "$ours" map sparse.qcow2
        same cmp "$out/engine.text" "$out/qemu-img.text"
    else
        run "$1" qemu-img qemu-img map --output=json sparse.qcow2
    fi
}

# snapshot STEP: on an image whose snapshots are made, applied after a write, and deleted, by each program in turn.
snapshot_rows() {
    local round program
    wanted '1 TiB sparse: snapshot' || return 0
    cp --sparse=always sparse.qcow2 "$out/snapshots.qcow2"
    for ((round = 0; round < rounds; round++)); do
        for program in qemu-img engine; do
            snapshot "$program" create -c
            qemu-io -f qcow2 -c 'write -P 7 0 64k' "$out/snapshots.qcow2" > /dev/null
            snapshot "$program" apply -a
            snapshot "$program" delete -d
        done
        same qemu-img check -q "$out/snapshots.qcow2"
    done
    rm "$out/snapshots.qcow2"
}

snapshot() {
    if [[ $1 == engine ]]; then
        run "1 TiB sparse: snapshot $2" engine "$ours" "snapshot-$2" "$out/snapshots.qcow2" s
    else
        run "1 TiB sparse: snapshot $2" qemu-img qemu-img snapshot "$3" s "$out/snapshots.qcow2"
    fi
}

# check ROW IMAGE: both say the same of it, and take so long.
check() {
    local row=$1 image=$2 round
    wanted "$row" || return 0
    qemu-img check -f qcow2 --output=json "$image" | tr -d ' ,' | grep -E '^"(image-end|total|corruptions|leaks|allocated|fragmented|compressed)' | sort > "$out/expected.text"
    for ((round = 0; round < rounds; round++)); do
        run "$row" qemu-img qemu-img check -q -f qcow2 "$image"
        run "$row" engine "$ours" check "$image"
        same cmp <(tr -d ' ' < "$out/engine.text" | sort) "$out/expected.text"
    done
}

# compare ROW IMAGE FORMAT OTHER FORMAT: both say that the two are the same, and take so long.
compare() {
    local row=$1 image=$2 format=$3 other=$4 other_format=$5 round
    wanted "$row" || return 0
    for ((round = 0; round < rounds; round++)); do
        run "$row" qemu-img qemu-img compare -f "$format" -F "$other_format" "$image" "$other"
        run "$row" engine "$ours" compare "$image" "$other"
        same cmp "$out/engine.text" "$out/qemu-img.text"
    done
}

each_with_qemu_img='for image in many/*.qcow2; do qemu-img info --output=json "$image"; done'
many_info() {
    if [[ $2 == engine ]]; then run "$1" engine "$ours" info-many many; else run "$1" qemu-img bash -c "$each_with_qemu_img"; fi
}

# Inside one PowerShell session, as a script has it: the module is loaded, and PowerShell's own start does not count.
many_pipeline() {
    if [[ $2 == qemu-img ]]; then
        run "$1" qemu-img bash -c "$each_with_qemu_img"
    else
        in_pwsh "$1" "Import-Module '$module'; Get-Qcow2Image -LiteralPath '$data/many/disk-0000.qcow2' | Out-Null;
            (Measure-Command { \$images = Get-ChildItem '$data/many/*.qcow2' | Get-Qcow2Image }).TotalSeconds;
            if (@(\$images).Count -ne 1000) { throw 'not 1,000 images' }"
    fi
}

# in_pwsh ROW SCRIPT: the script, in a fresh process, prints the seconds that count.
in_pwsh() {
    local seconds
    seconds=$(pwsh -NoProfile -NonInteractive -Command "\$ErrorActionPreference = 'Stop'; $2")
    LC_ALL=C awk -v row="$1" -v seconds="$seconds" 'BEGIN { printf "%s\tpowershell\t%.4f\t\t\n", row, seconds }' | tee -a "$results" >&2
}

# first_result: processes (an empty pwsh, and one with the module and its first result) apart from what the session itself counts, so that the start of .NET and
# of PowerShell is neither hidden nor counted twice.
first_result() {
    local round pwsh='pwsh -NoProfile -NonInteractive -Command' image=$out/first.qcow2
    wanted 'first result' || return 0
    qemu-img create -q -f qcow2 "$image" 20G
    for ((round = 0; round < rounds; round++)); do
        run 'first result, process: empty pwsh' powershell $pwsh '1'
        run 'first result, process: import, Get-Qcow2Image' powershell $pwsh "Import-Module '$module'; Get-Qcow2Image '$image'"
        run 'first result, process: qemu-img info' qemu-img qemu-img info "$image"
        in_pwsh 'first result, in session: import' "(Measure-Command { Import-Module '$module' }).TotalSeconds"
        in_pwsh 'first result, in session: Get-Qcow2Image' "Import-Module '$module'; (Measure-Command { Get-Qcow2Image '$image' }).TotalSeconds"
        in_pwsh 'first result, in session: the second' "Import-Module '$module'; \$null = Get-Qcow2Image '$image'; (Measure-Command { Get-Qcow2Image '$image' }).TotalSeconds"
    done
    rm "$image"
}

describe_machine() {
    echo "# Measured on $(nproc) cores of $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1) and $(free -g | awk '/^Mem/ { print $2 }') GiB of memory,"
    echo "# Linux $(uname -r | cut -d. -f1,2), images in $(stat -f -c %T "$data"), qemu-img $(qemu-img --version | sed -n '1s/qemu-img version \([0-9.]*\).*/\1/p'),"
    echo "# .NET $(dotnet --list-runtimes | sed -n 's/^Microsoft.NETCore.App \(10[0-9.]*\).*/\1/p' | tail -n 1)$(command -v pwsh > /dev/null && pwsh -NoProfile -Command '", PowerShell $($PSVersionTable.PSVersion)"');"
    echo "# load average $(cut -d' ' -f1 /proc/loadavg) at the start.${note:+ $note}"
}

! has main || describe_machine > "$results"
convert plain.qcow2 'plain to raw'
convert extended.qcow2 'extended L2 to raw'
convert large.qcow2 '2 MiB clusters to raw'
convert deflate.qcow2 'deflate to raw'
convert zstd.qcow2 'zstd to raw'
pack 'raw to plain' ''
pack 'raw to deflate' deflate -c
pack 'raw to deflate, qemu-img -W -m 16' deflate -c -W -m 16
pack 'raw to zstd' zstd -c -o compression_type=zstd
pack 'raw to zstd, qemu-img -W -m 16' zstd -c -o compression_type=zstd -W -m 16
alternate '1 TiB sparse: info' sparse_info
alternate '1 TiB sparse: map' sparse_map
convert sparse.qcow2 '1 TiB sparse to raw'
alternate '1 TiB sparse to qcow2' repack_sparse
alternate '1 TiB sparse: measure' sparse_measure
snapshot_rows
alternate '1,000 images: info' many_info

check '1 TiB sparse: check' sparse.qcow2
check '1 TiB preallocated: check' preallocated.qcow2
check 'plain: check' plain.qcow2
check 'deflate: check' deflate.qcow2

compare '1 TiB sparse: compare with itself' sparse.qcow2 qcow2 sparse.qcow2 qcow2
if wanted '1 TiB sparse: compare with a copy'; then
    cp --sparse=always sparse.qcow2 "$out/copy.qcow2"
    compare '1 TiB sparse: compare with a copy' sparse.qcow2 qcow2 "$out/copy.qcow2" qcow2
    rm "$out/copy.qcow2"
fi
compare 'plain: compare with its raw disk' plain.qcow2 qcow2 root.raw raw
compare 'deflate: compare with its raw disk' deflate.qcow2 qcow2 root.raw raw

# The rows of PowerShell are there where it is, and the module is staged.
module=$(compgen -G "$here/../out/Qcow2/*/Qcow2.psd1" | sort -V | tail -n 1) || true
command -v pwsh > /dev/null || module=
if [[ -n $module ]]; then
    alternate '1,000 images: Get-Qcow2Image in a pipeline' many_pipeline
    first_result
fi

session=${results%.tsv}-session.tsv
if has session && [[ -z $only && -n $module ]]; then
    describe_machine > "$session"
    "$here/session.sh" "$rounds" "$data" "$module" "$session"
    [[ $report == no ]] || "$ours" report-session "$session" "$here/README.md"
fi

writes=${results%.tsv}-writing.tsv
if has writing && [[ -z $only ]]; then
    describe_machine > "$writes"
    "$here/writing.sh" "$rounds" "$data" "$ours" "$writes"
    [[ $report == no ]] || "$ours" report-writing "$writes" "$here/README.md"
fi

chains=${results%.tsv}-chains.tsv
if has chains && [[ -z $only ]]; then
    describe_machine > "$chains"
    "$here/chains.sh" "$rounds" "$data" "$ours" "$chains"
    [[ $report == no ]] || "$ours" report-chains "$chains" "$here/README.md"
fi

formats=${results%.tsv}-formats.tsv
if has formats && [[ -z $only ]]; then
    describe_machine > "$formats"
    "$here/formats.sh" "$rounds" "$data" "$ours" "$formats"
    [[ $report == no ]] || "$ours" report-formats "$formats" "$here/README.md"
fi

[[ $report == no ]] || ! has main || "$ours" report "$results" "$here/README.md"
