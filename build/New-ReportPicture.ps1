#Requires -Version 7.4
<#
.SYNOPSIS
    Makes an example fleet and its report, and has Chromium take the pictures that docs/reports.md shows: of its top, and of what it says of one image.
.EXAMPLE
    ./build.ps1; ./build/New-ReportPicture.ps1
.EXAMPLE
    ./build/New-ReportPicture.ps1 -Folder . -Width 1600 -Height 3000 -ReportPath example.html
#>
[CmdletBinding()]
param(
    [string] $Folder = (Join-Path $PSScriptRoot '../docs'), # Where the pictures go.
    [int] $Width = 1200,
    [int] $Height = 1060,
    [string] $ReportPath, # Where the report itself is kept.
    [string] $Module = (Join-Path $PSScriptRoot '../out/Qcow2')
)

$ErrorActionPreference = 'Stop'
Import-Module $Module
$images = New-Item -ItemType Directory (Join-Path ([IO.Path]::GetTempPath()) "images-$([guid]::NewGuid().ToString('N').Substring(0, 8))")
$report = Join-Path $images 'report.html'
if ($ReportPath) {
    $report = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($ReportPath)
}

$Folder = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($Folder)

# Bytes that look like data and are the same each time.
function Get-Data([int] $Size, [int] $Seed) {
    $noise = [byte[]]::new($Size / 2)
    [Random]::new($Seed).NextBytes($noise)
    $bytes = [Text.Encoding]::ASCII.GetBytes('x' * $Size) # The second half compresses well, and is not zeros.
    $noise.CopyTo($bytes, 0)
    , $bytes
}

function Add-Data([string] $Image, [int[]] $Megabytes, [int] $Length = 2MB) {
    foreach ($at in $Megabytes) {
        Write-Qcow2Image $Image -Offset ($at * 1MB) -Value (Get-Data $Length $at)
    }
}

# Writes into the snapshot table (at an offset that bytes 64 to 71 of the header say) when each was taken: bytes 16 to 19 of each entry.
function Set-SnapshotAge([string] $Image, [int[]] $Days) {
    $bytes = [IO.File]::ReadAllBytes($Image)
    $read = { param($at, $count) $value = 0L; foreach ($byte in $bytes[$at..($at + $count - 1)]) { $value = $value * 256 + $byte }; $value }
    $entry = & $read 64 8
    foreach ($age in $Days) {
        $taken = [BitConverter]::GetBytes([uint32] [DateTimeOffset]::Now.AddDays(-$age).ToUnixTimeSeconds())
        [array]::Reverse($taken)
        $taken.CopyTo($bytes, $entry + 16)
        $length = 40 + (& $read ($entry + 36) 4) + (& $read ($entry + 12) 2) + (& $read ($entry + 14) 2)
        $entry += [Math]::Ceiling($length / 8) * 8
    }

    [IO.File]::WriteAllBytes($Image, $bytes)
}

Push-Location $images
try {
    $null = New-Qcow2Image golden.qcow2 2GB
    Add-Data golden.qcow2 (0..11 | ForEach-Object { $_ * 40 }) 8MB
    Convert-Qcow2Image golden.qcow2 debian-base.qcow2 -Compress -CompressionType Zstd
    Remove-Item golden.qcow2

    foreach ($machine in @{ Name = 'web01'; At = 60, 300, 310, 900, 1500 }, @{ Name = 'web02'; At = 60, 420, 1200 }) {
        $null = New-Qcow2Image "$($machine.Name).qcow2" -BackingFile debian-base.qcow2 -BackingFormat qcow2
        Add-Data "$($machine.Name).qcow2" $machine.At 12MB
    }

    Write-Qcow2Image web01.qcow2 -Offset 700MB -Length 200MB -Zero
    foreach ($snapshot in 'installed', 'before-upgrade', 'after-upgrade', 'before-migration') {
        Checkpoint-Qcow2Image web01.qcow2 $snapshot
    }

    Set-SnapshotAge (Join-Path $images web01.qcow2) 92, 41, 40, 3

    $null = New-Qcow2Image build01.qcow2 4GB
    Add-Data build01.qcow2 (0..20 | ForEach-Object { $_ * 61 }) 4MB
    # What a program has left that grew the file ahead of its use.
    [IO.File]::AppendAllBytes((Join-Path $images build01.qcow2), (Get-Data 60MB 1))

    $null = New-Qcow2Image payroll.qcow2 1GB -Encryption Luks -Passphrase (ConvertTo-SecureString example -AsPlainText -Force) -IterationTimeMilliseconds 100
    $null = New-Qcow2Image gone.qcow2 1GB
    $null = New-Qcow2Image test07.qcow2 -BackingFile gone.qcow2 -BackingFormat qcow2
    Add-Data test07.qcow2 10, 200
    Remove-Item gone.qcow2

    $null = New-Qcow2Image mail.vhdx 3GB
    $null = New-Qcow2Image legacy.vmdk 2GB

    # A cluster with data that counts as free: the next write could take it.
    $null = New-Qcow2Image db01.qcow2 2GB
    Add-Data db01.qcow2 0, 64, 512, 1024, 1600 16MB
    $file = [IO.File]::Open((Join-Path $images db01.qcow2), 'Open', 'ReadWrite')
    $block = [byte[]]::new(8)
    $file.Position = 0x10000
    $file.ReadExactly($block)
    [array]::Reverse($block)
    $file.Position = [BitConverter]::ToInt64($block) + 2 * 20
    $file.Write([byte[]] (0, 0, 0, 0))
    $file.Dispose()

    Get-ChildItem *.qcow2, *.vhdx, *.vmdk | Export-Qcow2Report -DestinationPath $report -Check -Title 'Virtual disks of the laboratory' -Force -ErrorAction SilentlyContinue

    # Names of this machine are nobody's business.
    $text = (Get-Content -Raw $report).Replace("$images", '/var/lib/libvirt/images').Replace("<bdi>$([Environment]::MachineName)</bdi>", '<bdi>kvm01</bdi>')
    [IO.File]::WriteAllText($report, $text)
    $start = $text.Substring(0, $text.IndexOf('<a class="skip"'))
    $one = [regex]::Match($text, '(?s)<article (?:(?!</article>).)*<h3[^>]*><bdi>web01\.qcow2</bdi></h3>.*?</article>').Value
    [IO.File]::WriteAllText((Join-Path $images image.html), "$start<main>$one</main></body></html>")
    foreach ($picture in @{ Name = 'report.png'; Page = $report; Height = $Height }, @{ Name = 'report-image.png'; Page = Join-Path $images image.html; Height = 1090 }) {
        $path = Join-Path $Folder $picture.Name
        $arguments = @(
            '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', "--window-size=$Width,$($picture.Height)", "--user-data-dir=$images/profile", "--screenshot=$path"
            [uri]::new($picture.Page, [UriKind]::Absolute).AbsoluteUri
        )
        & chromium @arguments 2>&1 | Write-Verbose
        Get-Item $path
    }
}
finally {
    Pop-Location
    Remove-Item -Recurse -Force $images
}
