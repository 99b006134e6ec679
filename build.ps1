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

    The .NET SDK is all that is needed: "dotnet tool restore" brings PowerShell ("dotnet pwsh"), and this script brings Pester.

.PARAMETER Task
    What to do; several tasks are done in the order given. The default is Build.

.PARAMETER Configuration
    The configuration to build. The default is Release, which is also compiled ahead for the systems of build/ReadyToRun.

.PARAMETER PesterVersion
    The version of Pester, which comes from NuGet whatever is installed. The default is that of Directory.Packages.props.

.PARAMETER PesterPath
    The tests that Pester runs, a file or a folder. The default is all: tests/Pester.

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
    [string] $Configuration = 'Release',

    [string] $PesterVersion,

    [string] $PesterPath = (Join-Path $PSScriptRoot 'tests' 'Pester')
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

    Write-Verbose "$Program $Argument"
    & $Program @Argument
    if ($LASTEXITCODE -ne 0) {
        throw "$Program ended with exit code $LASTEXITCODE."
    }
}

function Invoke-Build {
    Write-Host 'Building the module ...'
    Invoke-Program dotnet @(
        'msbuild', (Join-Path $root 'src' 'Qcow2.PowerShell'), '-restore', "-p:Configuration=$Configuration", '-nodeReuse:false', '-v:q', '-nologo'
    )

    if ($Configuration -eq 'Release') {
        Invoke-Program dotnet @(
            'msbuild', (Join-Path $root 'build' 'ReadyToRun'), '-restore', '-t:CompileAhead', "-p:Configuration=$Configuration", '-nodeReuse:false', '-v:q', '-nologo'
        )
    }

    # A layout of another version would be found first.
    Get-Item (Join-Path $out 'Qcow2' '*') -Exclude $version -ErrorAction Ignore | Remove-Item -Recurse -Force
    Invoke-Program dotnet @(
        'msbuild', (Join-Path $root 'build' 'StageModule.targets'), '-t:StageModule', '-nodeReuse:false', '-v:q', '-nologo'
        "-p:Configuration=$Configuration", "-p:ModuleStageFolder=$module/", '-p:IncludeDesktop=true', "-p:IncludeAhead=$($Configuration -eq 'Release')"
    )
    $null = Test-ModuleManifest -Path (Join-Path $module 'Qcow2.psd1')
    Write-Host "The module is in $module" -ForegroundColor Green
}

# The manifest of Pester from NuGet, whatever is installed.
function Get-PesterManifest {
    $project = Join-Path $root 'build' 'PesterPackage' 'PesterPackage.csproj'
    $version = $PesterVersion ? @("-p:PesterVersion=$PesterVersion") : @()
    Invoke-Program dotnet (@('restore', $project, '-v:q', '-nologo') + $version) | Out-Host
    $package = & dotnet msbuild $project -nologo '-getProperty:PkgPester' @version
    if ($LASTEXITCODE -ne 0 -or -not $package) {
        throw "Pester could not be restored: $package"
    }

    Join-Path $package 'tools' 'Pester.psd1'
}

# The arguments of the PowerShell that Pester runs in.
function Get-PesterArgument {
    @('-NoProfile', '-NonInteractive', '-File', (Join-Path $root 'build' 'Invoke-Pester.ps1'))
    @('-Pester', (Get-PesterManifest), '-Module', (Join-Path $module 'Qcow2.psd1'), '-Path', $PesterPath)
}

function Invoke-PesterTask {
    Invoke-Build
    . (Join-Path $root 'tests' 'Pester' 'Shared.ps1')
    $argument = Get-PesterArgument
    Invoke-PowerShell @argument
    if ($LASTEXITCODE -ne 0) {
        throw "Pester tests failed (exit code $LASTEXITCODE)."
    }
}

# Starts a suite beside what comes next. What it says is kept for Receive-Suite, so that the lines of two do not mix.
function Start-Suite {
    param([string] $Name, [string] $Command, [string[]] $Argument)

    Start-ThreadJob -Name $Name -ArgumentList $root, $Command, $Argument {
        param($Root, $Command, $Argument)

        Set-Location -LiteralPath $Root
        . (Join-Path $Root 'tests' 'Pester' 'Shared.ps1')
        & $Command @Argument 2>&1 | ForEach-Object { "$_" }
        if ($LASTEXITCODE -ne 0) {
            throw "$Command ended with exit code $LASTEXITCODE."
        }
    }
}

# Waits for a suite and shows what it said.
function Receive-Suite {
    param([Management.Automation.Job] $Suite)

    $null = Wait-Job $Suite
    Receive-Job $Suite -ErrorAction SilentlyContinue -ErrorVariable problem | Out-Host
    Remove-Job $Suite
    if ($problem) {
        throw "$($Suite.Name): $($problem[0])"
    }
}

function Get-TestArgument {
    param([string] $Project)

    'test', (Join-Path $root 'tests' $Project 'bin' $Configuration 'net10.0' "$Project.dll"), '--nologo'
}

# Two suites at a time: Pester, which waits more than it computes, beside the build of the other tests; the engine's, which compute, beside the rest.
function Invoke-Test {
    Invoke-Build
    Write-Host 'Testing with Pester, and building the other tests ...'
    $suite = @{ Pester = Start-Suite 'Pester' Invoke-PowerShell (Get-PesterArgument) }
    $failed = @()
    foreach ($step in @(
            { Invoke-Program dotnet @('build', (Join-Path $root 'Qcow2.sln'), '-c', $Configuration, '-nodeReuse:false', '-v:q', '-nologo') }
            { $suite.Engine = Start-Suite 'Qcow2.Engine.Tests' dotnet (Get-TestArgument Qcow2.Engine.Tests) }
            { Receive-Suite $suite.Pester }
            { Invoke-Program dotnet (Get-TestArgument Qcow2.PowerShell.Tests) }
            { Invoke-Program dotnet (Get-TestArgument Qcow2.Engine.NetStandard.Tests) }
            { Receive-Suite $suite.Engine }
        )) {
        try {
            & $step
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
