#!/usr/bin/env bash
# Runs the tests in the nearest thing to Windows that a Linux machine has: Wine with .NET for Windows and PowerShell for Windows, and Mono for
# .NET Framework. All of it comes from Debian's and NuGet's packages, into a folder of its own. CONTRIBUTING.md says how long it takes.
set -u -o pipefail

usage() {
    cat <<'END'
usage: build/test-windows.sh [quick | long | PART ...]

quick      what an hour's work wants to know: storage, paths and sharing, the module in PowerShell for Windows. The default.
long       every part
PART       setup      Wine, Mono and the programs, without running anything
           storage    the engine's tests of files, paths, references and sharing, on Wine
           engine     all of the engine's tests, on Wine
           cmdlets    the cmdlets' tests, on Wine
           module     Pester in PowerShell for Windows: the module loads, images are read and described
           pester     all of Pester's tests, in PowerShell for Windows

QCOW2_WINDOWS_FOLDER   where it is kept; the default is ~/.cache/qcow2-windows. Remove that folder, and all of it is gone.
QCOW2_WINDOWS_ROOT     a Debian folder with Wine and Mono that is there already
DEBIAN_MIRROR          where Debian's packages come from; the default is what apt has on this machine, else deb.debian.org
END
}

repository=$(cd "$(dirname "$0")/.." && pwd)
files=$repository/build/windows
folder=${QCOW2_WINDOWS_FOLDER:-${XDG_CACHE_HOME:-$HOME/.cache}/qcow2-windows}
root=${QCOW2_WINDOWS_ROOT:-$folder/root}
programs=$folder/programs
logs=$folder/logs

# The next release of Debian: Wine 8 of the one before ends .NET's finaliser now and then.
release=trixie
packages='wine wine64 bsdutils'

fail() {
    echo "$1" >&2
    exit 2
}

debian_mirror() {
    local found
    found=$(sed -nE -e 's/^URIs: *([^ ]+).*/\1/p' -e 's/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -m 1 -E '/debian/?$')
    echo "${DEBIAN_MIRROR:-${found:-http://deb.debian.org/debian}}"
}

# A folder with a Debian of its own, so that this machine's packages stay what they are.
make_root() {
    [ -x "$root/usr/bin/wine-stable" ] && return
    echo "Making $root (Debian $release with Wine) ..."
    if ! command -v debootstrap >/dev/null || [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap debian-archive-keyring >/dev/null ||
            fail 'debootstrap and debian-archive-keyring are missing, and could not be installed.'
    fi

    # Only a whole one gets the name.
    local new="$root.new"
    rm -rf --one-file-system "$new"
    debootstrap --variant=minbase --arch=amd64 "$release" "$new" "$(debian_mirror)" >"$logs/debootstrap.log" ||
        fail "debootstrap failed: see $logs/debootstrap.log"
    cp -L /etc/resolv.conf "$new/etc/"
    cp /etc/apt/apt.conf.d/* "$new/etc/apt/apt.conf.d/" 2>/dev/null
    in_root "$new" "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages && apt-get clean" \
        >"$logs/packages.log" 2>&1 || fail "Packages could not be installed: see $logs/packages.log"
    mv "$new" "$root"
}

# Wine 10 loses the upper halves of vector registers when .NET stops a thread and lets it go on: comparisons of bytes are wrong then, now and
# again. So .NET is kept from using them (DOTNET_EnableAVX).
#
# Runs a script in a root, with namespaces of its own: what it mounts and what it starts end with it. The repository is there to be read.
in_root() {
    unshare --mount --propagation private --pid --fork --kill-child bash -c '
        set -e
        root=$0 script=$1 repository=$2 programs=$3
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mkdir -p "$root/mnt/repository" "$root/mnt/programs"
        mount --bind "$repository" "$root/mnt/repository"
        mount -o remount,bind,ro "$root/mnt/repository"
        mount --bind "$programs" "$root/mnt/programs"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb NO_COLOR=1 XDG_RUNTIME_DIR=/tmp \
            WINEDEBUG=-all WINEPREFIX=/root/wine DOTNET_EnableAVX=0 POWERSHELL_TELEMETRY_OPTOUT=1 POWERSHELL_UPDATECHECK=Off bash -c "$script"
    ' "$1" "$2" "$repository" "$programs" </dev/null
}

publish() {
    dotnet publish "$1" -c Release --artifacts-path "$folder/artifacts" -o "$programs/$2" -nodeReuse:false -v:q -nologo "${@:3}" ||
        fail "$1 could not be published."
}

# Tests and the program that runs them, with a runtime for Windows, in one folder.
publish_tests() {
    rm -rf "${programs:?}/$2"
    publish "$repository/$1" "$2" -p:TestRuntime=win-x64
    publish "$repository/tools/Qcow2.TestRunner" "$2" -p:TestRuntime=win-x64 -f net10.0
}

set_up() {
    echo 'Building ...'
    (cd "$repository" && dotnet tool restore && dotnet pwsh -NoProfile -File build.ps1) >"$logs/build.log" 2>&1 </dev/null ||
        fail "The module could not be built: see $logs/build.log"
    publish_tests tests/Qcow2.Engine.Tests engine
    publish "$repository/tests/Qcow2.Engine.CrashWriter" engine/CrashWriter -p:TestRuntime=win-x64
    publish_tests tests/Qcow2.PowerShell.Tests cmdlets
    mkdir -p "$programs/cmdlets/Modules/Qcow2"
    cp -r "$repository"/out/Qcow2/*/. "$programs/cmdlets/Modules/Qcow2"
    [ -e "$programs/powershell/pwsh.dll" ] || publish "$files/PowerShell" powershell
    rm -rf "${programs:?}/pester"
    local pester=$repository/build/PesterPackage/PesterPackage.csproj
    dotnet restore "$pester" -v:q -nologo && cp -r "$(dotnet msbuild "$pester" -nologo -getProperty:PkgPester)/tools" "$programs/pester" ||
        fail 'Pester could not be restored.'
    set_up_wine >"$logs/wine.log" 2>&1
}

# .NET derives keys (PBKDF2) by functions that Wine 10 does not have, but for Windows 7, so these programs are told that this is one.
set_up_wine() {
    in_root "$root" '
        [ -e /root/wine/system.reg ] || { wineboot -i; wineserver -w; }
        for program in Qcow2.TestRunner.exe pwsh.exe; do
            wine reg add "HKCU\\Software\\Wine\\AppDefaults\\$program" /v Version /d win7 /f
        done
        wineserver -w'
}

# Tests in a folder of programs, with a list of known gaps. What follows are parts of names; without any, all tests run.
run_tests() {
    in_root "$root" "cd /mnt/programs/$1 && timeout 1800 wine Qcow2.TestRunner.exe '$2.dll' 'Z:\\mnt\\repository\\build\\windows\\known-gaps\\$1.tsv' ${*:3}"
}

# Pester's tests in PowerShell for Windows, which ends without a word where it has no console; `script` gives it one.
run_pester() {
    local paths=''
    for file in "$@"; do paths="$paths,Z:\\mnt\\repository\\tests\\Pester\\$file"; done
    local module
    module=$(cd "$repository/out" && ls -d Qcow2/*)
    in_root "$root" "
        cat >/tmp/pester.ps1 <<'END'
& 'Z:\\mnt\\repository\\build\\Invoke-Pester.ps1' -Pester 'Z:\\mnt\\programs\\pester\\Pester.psd1' \`
    -Module 'Z:\\mnt\\repository\\out\\${module//\//\\}\\Qcow2.psd1' -Path ${paths#,}
exit \$LASTEXITCODE
END
        timeout 1800 script -qefc 'wine /mnt/programs/powershell/pwsh.exe -NoProfile -NonInteractive -File Z:\\\\tmp\\\\pester.ps1' /dev/null" |
        sed -u -E -e 's/\x1b\][^\x07]*\x07//g' -e 's/\x1b\[[0-9;?]*[A-Za-z]//g' -e 's/\r//g'
}

part() {
    case $1 in
    setup) ;;
    storage) run_tests engine Qcow2.Engine.Tests .Storage. ReferenceName ReferencePolicy BackingReference ;;
    engine) run_tests engine Qcow2.Engine.Tests ;;
    cmdlets) run_tests cmdlets Qcow2.PowerShell.Tests ;;
    module) run_pester Module.Tests.ps1 GetQcow2Image.Tests.ps1 ;;
    pester) run_pester '' ;;
    *) usage >&2; exit 2 ;;
    esac
}

case ${1:-quick} in
-h | --help) usage; exit ;;
quick) parts='storage module' ;;
long) parts='engine cmdlets pester' ;;
*) parts=$* ;;
esac

[ "$(id -u)" = 0 ] || fail 'This needs root: it makes a Debian folder, and mounts and chroot need that.'
mkdir -p "$logs" "$programs"
make_root
set_up

failed=''
summary=''
for name in $parts; do
    echo "== $name"
    start=$SECONDS
    if part "$name" 2>&1 | tee "$logs/$name.log"; then result=ok; else result=FAILED failed=1; fi
    summary="$summary$name: $result, $((SECONDS - start)) s. $(grep -E '^[A-Za-z0-9.]+: [0-9]+ passed' "$logs/$name.log" | tail -n 1)"$'\n'
done
echo
printf '%s' "$summary"
[ -z "$failed" ]
