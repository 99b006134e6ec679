#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Builds the Qcow2 module, and tests, packs or analyzes it.

.DESCRIPTION
    Build     builds the module for PowerShell 7 and Windows PowerShell 5.1 and lays it out in out/Qcow2/<version>
    Test      Build, then every test: dotnet test, and Pester on the module that was laid out
    Pester    Build, then Pester alone
    Package   Build, then the packages of the module and of the engine, in out/
    Analyze   runs PSScriptAnalyzer over every script, where it is installed

    Only this script needs PowerShell: "dotnet build" and "dotnet test" work without.

.PARAMETER Task
    What to do; several tasks are done in the order given. The default is Build.

.PARAMETER Configuration
    The configuration to build. The default is Release.

.EXAMPLE
    ./build.ps1
    Import-Module ./out/Qcow2

    Builds the module and uses it.

.EXAMPLE
    ./build.ps1 -Task Analyze, Test, Package

    Does all there is.
#>
[CmdletBinding()]
param(
    [ValidateSet('Build', 'Test', 'Pester', 'Package', 'Analyze')]
    [string[]] $Task = 'Build',

    [ValidateSet('Release', 'Debug')]
    [string] $Configuration = 'Release'
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$root = $PSScriptRoot
$out = Join-Path $root 'out'
$manifest = Import-PowerShellDataFile -LiteralPath (Join-Path $root 'Qcow2.psd1')
$version = $manifest.ModuleVersion
$prerelease = $manifest.PrivateData.PSData.Prerelease
$module = Join-Path $out 'Qcow2' $version

function Invoke-Program {
    param([string] $Program, [string[]] $Argument)

    Write-Host "> $Program $Argument" -ForegroundColor DarkGray
    & $Program @Argument
    if ($LASTEXITCODE -ne 0) {
        throw "$Program ended with exit code $LASTEXITCODE."
    }
}

function Invoke-Build {
    Invoke-Program dotnet @('build', (Join-Path $root 'src' 'Qcow2.PowerShell'), '-c', $Configuration, '-nodeReuse:false', '-v:q', '-nologo')

    # A layout of another version would be found first.
    Get-Item (Join-Path $out 'Qcow2' '*') -Exclude $version -ErrorAction Ignore | Remove-Item -Recurse -Force
    Invoke-Program dotnet @(
        'msbuild', (Join-Path $root 'build' 'StageModule.targets'), '-t:StageModule', '-nodeReuse:false', '-v:q', '-nologo'
        "-p:Configuration=$Configuration", "-p:ModuleStageFolder=$module/", '-p:IncludeDesktop=true'
    )
    $null = Test-ModuleManifest -Path (Join-Path $module 'Qcow2.psd1')
    Write-Host "The module is in $module" -ForegroundColor Green
}

function Invoke-Pester5 {
    # The tests see the preferences of a session, not those of this script.
    Set-StrictMode -Off
    $ErrorActionPreference = 'Continue'
    Import-Module Pester -MinimumVersion 5.5
    $options = New-PesterConfiguration
    $options.Run.Path = Join-Path $root 'tests' 'Pester'
    $options.Run.PassThru = $true
    $options.Output.Verbosity = 'Normal'
    $env:QCOW2_MODULE = Join-Path $module 'Qcow2.psd1'
    try {
        $result = Invoke-Pester -Configuration $options
    }
    finally {
        $env:QCOW2_MODULE = $null
    }

    Write-Host ('Pester: {0} passed, {1} failed, {2} skipped.' -f $result.PassedCount, $result.FailedCount, $result.SkippedCount)
    if ($result.Result -ne 'Passed') {
        throw 'Pester tests failed.'
    }
}

function Invoke-PesterTask {
    Invoke-Build
    Invoke-Pester5
}

function Invoke-Test {
    Invoke-Build
    $failed = @()
    foreach ($suite in @(
            { Invoke-Program dotnet @('test', (Join-Path $root 'Qcow2.sln'), '-c', $Configuration, '-nodeReuse:false', '-nologo') }
            { Invoke-Pester5 }
        )) {
        try {
            & $suite
        }
        catch {
            $failed += $_.Exception.Message
        }
    }

    if ($failed) {
        throw "Tests failed: $($failed -join ' ')"
    }

    Write-Host 'All tests passed.' -ForegroundColor Green
}

function Invoke-Package {
    Invoke-Build
    Get-ChildItem (Join-Path $out '*.nupkg') | Remove-Item
    $common = @('-c', $Configuration, '-o', $out, '-nodeReuse:false', '-v:q', '-nologo', "-p:VersionSuffix=$prerelease")
    Invoke-Program dotnet (@('pack', (Join-Path $root 'build' 'ModulePackage'), "-p:StagedModule=$module/") + $common)
    Invoke-Program dotnet (@('pack', (Join-Path $root 'src' 'Qcow2.Engine')) + $common)
    Assert-ModulePackage (Join-Path $out "Qcow2.$version-$prerelease.nupkg")
    Get-ChildItem (Join-Path $out '*.nupkg') | ForEach-Object { Write-Host "Packed $($_.FullName) ($($_.Length) bytes)" -ForegroundColor Green }
}

# A package that lacks a file installs without a word and fails at Import-Module.
function Assert-ModulePackage {
    param([string] $Path)

    $zip = [IO.Compression.ZipFile]::OpenRead($Path)
    try {
        $packed = $zip.Entries.FullName
        $expected = Get-ChildItem $module -Recurse -File | ForEach-Object { [IO.Path]::GetRelativePath($module, $_.FullName).Replace('\', '/') }
        $missing = $expected | Where-Object { $_ -notin $packed }
        if ($missing) {
            throw "$Path lacks $($missing -join ', ')."
        }
    }
    finally {
        $zip.Dispose()
    }
}

function Invoke-Analyze {
    if (-not (Get-Module PSScriptAnalyzer -ListAvailable)) {
        Write-Warning 'PSScriptAnalyzer is not installed; nothing was analyzed.'
        return
    }

    # Were the module loaded, its aliases in its own tests would be found fault with.
    Remove-Module Qcow2 -ErrorAction Ignore
    $settings = Join-Path $root 'build' 'PSScriptAnalyzerSettings.psd1'
    # The manifest is sound only where the module is laid out; Build checks it there.
    $scripts = Get-ChildItem $root -Recurse -File -Include *.ps1, *.psm1, *.psd1 -Exclude Qcow2.psd1 |
        Where-Object FullName -NotMatch '[\\/](out|bin|obj)[\\/]'
    $found = @($scripts | ForEach-Object { Invoke-ScriptAnalyzer -Path $_.FullName -Settings $settings })
    if ($found) {
        $found | ForEach-Object { Write-Host "$($_.ScriptPath):$($_.Line): $($_.RuleName): $($_.Message)" }
        throw "PSScriptAnalyzer found $($found.Count) things."
    }

    Write-Host "PSScriptAnalyzer found nothing in $(@($scripts).Count) scripts." -ForegroundColor Green
}

foreach ($name in $Task) {
    # Pester has a command of the task's name.
    & ($name -eq 'Pester' ? 'Invoke-PesterTask' : "Invoke-$name")
}
