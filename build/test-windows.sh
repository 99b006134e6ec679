#!/usr/bin/env bash
# Runs the tests in the nearest thing to Windows that a Linux machine has: Wine with .NET for Windows and PowerShell for Windows, and Mono for
# .NET Framework. All of it comes from Debian's and NuGet's packages, into a folder of its own. CONTRIBUTING.md says how long it takes.
set -u -o pipefail

usage() {
    cat <<'END'
usage: build/test-windows.sh [quick | long | PART ...]

quick      what an hour's work wants to know: storage, paths and sharing, the module in PowerShell for Windows. The default.
long       every part
PART       root       the Debian folder with Wine and Mono alone, which downloads most and builds nothing
           setup      Wine, Mono and the programs, without running anything
           storage    the engine's tests of files, paths, references and sharing, on Wine
           engine     all of the engine's tests, on Wine
           cmdlets    the cmdlets' tests, on Wine
           module     Pester in PowerShell for Windows: the module loads, images are read and described
           processes  Pester in PowerShell for Windows: two processes and one image
           pester     all of Pester's tests, in PowerShell for Windows
           mono       the tests of the engine's netstandard2.0 build, on Mono

QCOW2_MODULE_READY     a file that is not empty any more when somebody else has laid the module out in out/: no other is built, and the tests wait for it
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
packages='wine wine64 bsdutils mono-runtime libmono-cil-dev acl attr e2fsprogs'

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
# Runs a script in a root, with namespaces of its own: what it mounts and what it starts end with it. The repository is there to be read,
# in the place that it has on this machine, which the tests were told when they were built.
in_root() {
    unshare --mount --propagation private --pid --fork --kill-child bash -c '
        set -e
        root=$0 script=$1 repository=$2 programs=$3
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mkdir -p "$root$repository" "$root/mnt/programs"
        mount --bind "$repository" "$root$repository"
        mount -o remount,bind,ro "$root$repository"
        mount --bind "$programs" "$root/mnt/programs"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb NO_COLOR=1 XDG_RUNTIME_DIR=/tmp \
            WINEDEBUG=-all WINEPREFIX=/root/wine DOTNET_EnableAVX=0 POWERSHELL_TELEMETRY_OPTOUT=1 POWERSHELL_UPDATECHECK=Off bash -c "$script"
    ' "$1" "$2" "$repository" "$programs" </dev/null
}

# What Wine calls a file of this machine.
windows_path() {
    echo "Z:${1//\//\\}"
}

publish() {
    dotnet publish "$1" -c Release --artifacts-path "$folder/artifacts" -o "$programs/$2" -p:RunAnalyzers=false -nodeReuse:false -v:q -nologo "${@:3}" ||
        fail "$1 could not be published."
}

# Tests and the program that runs them, with a runtime for Windows, in one folder.
publish_tests() {
    rm -rf "${programs:?}/$2"
    publish "$repository/$1" "$2" -p:TestRuntime=win-x64
    publish "$repository/tools/Qcow2.TestRunner" "$2" -p:TestRuntime=win-x64 -f net10.0
}

# Whether one of these is a part to run.
wants() {
    local name
    for name in $parts; do
        case " setup $* " in *" $name "*) return 0 ;; esac
    done
    return 1
}

# What the parts need that are run. The module comes last, where somebody else builds it meanwhile.
set_up() {
    [ -n "${QCOW2_MODULE_READY:-}" ] || build_module
    set_up_wine >"$logs/wine.log" 2>&1
    if wants storage engine; then
        publish_tests tests/Qcow2.Engine.Tests engine
        publish "$repository/tests/Qcow2.Engine.CrashWriter" engine/CrashWriter -p:TestRuntime=win-x64
    fi
    if wants module processes pester; then
        [ -e "$programs/powershell/pwsh.dll" ] || publish "$files/PowerShell" powershell
    fi
    if wants mono; then
        publish_mono
    fi
    if [ -n "${QCOW2_MODULE_READY:-}" ]; then
        until [ -s "$QCOW2_MODULE_READY" ]; do sleep 1; done
    fi
    if wants cmdlets; then
        publish_tests tests/Qcow2.PowerShell.Tests cmdlets
        mkdir -p "$programs/cmdlets/Modules/Qcow2"
        cp -r "$repository"/out/Qcow2/*/. "$programs/cmdlets/Modules/Qcow2"
        # The very files that the tests are linked with: of two builds of one name a process loads only the first.
        rm -r "$programs"/cmdlets/Modules/Qcow2/bin/net8.0/*-x64
        cp "$programs"/cmdlets/Qcow2.{PowerShell,Engine}.dll "$programs/cmdlets/Modules/Qcow2/bin/net8.0"
    fi
    if wants module processes pester; then
        publish_pester
    fi
}

build_module() {
    (cd "$repository" && dotnet tool restore && dotnet pwsh -NoProfile -File build.ps1) >"$logs/build.log" 2>&1 </dev/null ||
        fail "The module could not be built: see $logs/build.log"
}

publish_pester() {
    local project=$repository/build/PesterPackage/PesterPackage.csproj
    rm -rf "${programs:?}/pester"
    dotnet restore "$project" -v:q -nologo && cp -r "$(dotnet msbuild "$project" -nologo -getProperty:PkgPester)/tools" "$programs/pester" ||
        fail 'Pester could not be restored.'
}

# Mono brings no facades in Debian, of netstandard among others. Those of .NET Framework's reference assemblies do, if they do not say that they
# are no more than that.
publish_mono() {
    dotnet build "$repository/tests/Qcow2.Engine.NetFramework.Tests" -c Release --artifacts-path "$folder/artifacts" -o "$programs/mono" \
        -p:RunAnalyzers=false -nodeReuse:false -v:q -nologo || fail 'The tests for .NET Framework could not be built.'
    LC_ALL=C sed -i 's/ReferenceAssemblyAttribute/ReferenceAssemblyAttributX/' "$programs"/mono/facades/*.dll
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
    in_root "$root" "cd /mnt/programs/$1 && timeout 1800 wine Qcow2.TestRunner.exe '$2.dll' '$(windows_path "$files/known-gaps/$1.tsv")' ${*:3}"
}

# Pester's tests in PowerShell for Windows, which ends without a word where it has no console; `script` gives it one.
run_pester() {
    local paths=''
    for file in "$@"; do paths="$paths,'$(windows_path "$repository/tests/Pester/$file")'"; done
    local manifest
    manifest=$(ls "$repository"/out/Qcow2/*/Qcow2.psd1)
    in_root "$root" "
        cat >/tmp/pester.ps1 <<'END'
& '$(windows_path "$repository/build/Invoke-Pester.ps1")' -Pester 'Z:\\mnt\\programs\\pester\\Pester.psd1' \`
    -Module '$(windows_path "$manifest")' -Path ${paths#,}
exit \$LASTEXITCODE
END
        timeout 1800 script -qefc 'wine /mnt/programs/powershell/pwsh.exe -NoProfile -NonInteractive -File Z:\\\\tmp\\\\pester.ps1' /dev/null" |
        sed -u -E -e 's/\x1b\][^\x07]*\x07//g' -e 's/\x1b\[[0-9;?]*[A-Za-z]//g' -e 's/\r//g'
}

run_mono() {
    in_root "$root" "cd /mnt/programs/mono && MONO_PATH=/mnt/programs/mono/facades timeout 1800 mono Qcow2.TestRunner.exe \
        Qcow2.Engine.NetStandard.Tests.dll '$files/known-gaps/mono.tsv'"
}

part() {
    case $1 in
    setup) ;;
    storage) run_tests engine Qcow2.Engine.Tests .Storage. ReferenceName ReferencePolicy BackingReference ;;
    engine) run_tests engine Qcow2.Engine.Tests ;;
    cmdlets) run_tests cmdlets Qcow2.PowerShell.Tests ;;
    module) run_pester Module.Tests.ps1 GetQcow2Image.Tests.ps1 ;;
    processes) run_pester TwoProcesses.Tests.ps1 ;;
    pester) run_pester '' ;;
    mono) run_mono ;;
    *) usage >&2; exit 2 ;;
    esac
}

# A function, so that the whole file is read before it runs: it may be changed meanwhile.
main() {
    case ${1:-quick} in
    -h | --help) usage; exit ;;
    quick) parts='storage module processes' ;;
    long) parts='engine cmdlets pester mono' ;;
    *) parts=$* ;;
    esac

    [ "$(id -u)" = 0 ] || fail 'This needs root: it makes a Debian folder, and mounts and chroot need that.'
    mkdir -p "$logs" "$programs"
    make_root
    [ "$parts" != root ] || exit 0
    echo 'Building ...'
    set_up

    local failed='' summary='' name start result
    for name in $parts; do
        echo "== $name"
        start=$SECONDS
        if part "$name" 2>&1 | tee "$logs/$name.log"; then result=ok; else result=FAILED failed=1; fi
        summary="$summary$name: $result, $((SECONDS - start)) s. $(grep -a -E '^[A-Za-z0-9.]+: [0-9]+ passed' "$logs/$name.log" | tail -n 1)"$'\n'
    done
    echo
    printf '%s' "$summary"
    [ -z "$failed" ]
}

main "$@"
exit
