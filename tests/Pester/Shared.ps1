# What the tests share. Each test file dots this in BeforeAll.

# The module that is tested: the one build.ps1 laid out.
function Get-TestedModulePath {
    if ($env:QCOW2_MODULE) {
        return $env:QCOW2_MODULE
    }

    $root = Split-Path (Split-Path $PSScriptRoot)
    $version = (Import-PowerShellDataFile -LiteralPath (Join-Path $root 'Qcow2.psd1')).ModuleVersion
    $manifest = Join-Path $root 'out' 'Qcow2' $version 'Qcow2.psd1'
    if (-not (Test-Path -LiteralPath $manifest)) {
        throw "There is no $manifest. Run ./build.ps1 first."
    }

    $manifest
}

# Starts another PowerShell of this very kind; what is piped in is its standard input. One that is a .NET tool is a process of dotnet, which
# runs pwsh.dll.
function Invoke-PowerShell {
    $program, $first = (Get-Process -Id $PID).Path, @()
    if ([IO.Path]::GetFileNameWithoutExtension($program) -eq 'dotnet') {
        $first = @(Join-Path $PSHOME 'pwsh.dll')
    }

    if ($MyInvocation.ExpectingInput) {
        $input | & $program @first @args
    }
    else {
        & $program @first @args
    }
}

# The fixtures, unpacked into a folder of the test's own.
function Copy-Fixture {
    param([string[]] $Name, [string] $Destination)

    $images = Join-Path (Split-Path $PSScriptRoot) 'Fixtures' 'images'
    foreach ($file in $Name) {
        $source = Join-Path $images $file
        $target = Join-Path $Destination $file
        if (Test-Path -LiteralPath $source) {
            Copy-Item -LiteralPath $source -Destination $target
            continue
        }

        $packed = [IO.File]::OpenRead("$source.gz")
        $content = [IO.Compression.GZipStream]::new($packed, [IO.Compression.CompressionMode]::Decompress)
        $stream = [IO.File]::Create($target)
        $content.CopyTo($stream)
        $stream.Dispose()
        $content.Dispose()
    }
}

# A raw disk out of the sectors that a fixture in volumes/ has of it: its size, and then each sector with its offset.
function New-VolumeFixture {
    param([string] $Name, [string] $Destination)

    $packed = [IO.File]::OpenRead((Join-Path (Split-Path $PSScriptRoot) 'Fixtures' 'volumes' "$Name.gz"))
    $content = [IO.Compression.GZipStream]::new($packed, [IO.Compression.CompressionMode]::Decompress)
    $memory = [IO.MemoryStream]::new()
    $content.CopyTo($memory)
    $content.Dispose()
    $bytes = $memory.ToArray()
    $file = [IO.File]::Create($Destination)
    $file.SetLength([BitConverter]::ToInt64($bytes, 0))
    for ($at = 8; $at -lt $bytes.Length; $at += 520) {
        $file.Position = [BitConverter]::ToInt64($bytes, $at)
        $file.Write($bytes, $at + 8, 512)
    }

    $file.Dispose()
}

# The SHA-256 that qemu-img's own conversion of a fixture has.
function Get-ExpectedHash {
    param([string] $Name, [string] $Of = 'disk')

    $lines = Get-Content (Join-Path (Split-Path $PSScriptRoot) 'Fixtures' 'expected' "$Name.sha256")
    ($lines | Where-Object { $_ -match "^(\w+)\s+$([regex]::Escape($Of))$" }) -replace '\s.*'
}

function Get-Sha256 {
    param([string] $Path)

    (Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash.ToLowerInvariant()
}

# An image whose disk takes minutes to decompress, in a small file: every cluster of 512 GiB is the same compressed one.
function New-SlowImage {
    param([string] $Path)

    $clusterSize = 2MB
    $zeros = [byte[]]::new($clusterSize)
    $packed = [IO.MemoryStream]::new()
    $deflate = [IO.Compression.DeflateStream]::new($packed, [IO.Compression.CompressionLevel]::Optimal, $true)
    $deflate.Write($zeros, 0, $zeros.Length)
    $deflate.Dispose()

    $image = [byte[]]::new(4 * $clusterSize)
    $put = {
        param([long] $Offset, [ulong] $Value, [int] $Bytes)
        for ($i = 0; $i -lt $Bytes; $i++) {
            $image[$Offset + $i] = ($Value -shr (8 * ($Bytes - 1 - $i))) -band 0xff
        }
    }

    # Clusters: header, L1 table, L2 table, data.
    & $put 0 0x514649fb 4
    & $put 4 3 4
    & $put 20 21 4
    & $put 24 512GB 8
    & $put 36 1 4
    & $put 40 $clusterSize 8
    & $put 48 $clusterSize 8
    & $put 56 1 4
    & $put 96 4 4
    & $put 100 104 4
    & $put $clusterSize (2 * $clusterSize) 8
    $sectors = [long] [Math]::Floor(($packed.Length - 1) / 512)
    & $put (2 * $clusterSize) (0x4000000000000000 -bor ($sectors -shl 49) -bor (3 * $clusterSize)) 8
    for ($done = 8; $done -lt $clusterSize; $done *= 2) {
        [Array]::Copy($image, 2 * $clusterSize, $image, 2 * $clusterSize + $done, $done)
    }

    $packed.ToArray().CopyTo($image, 3 * $clusterSize)
    [IO.File]::WriteAllBytes($Path, $image)
}
