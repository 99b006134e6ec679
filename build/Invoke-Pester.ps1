<#
.SYNOPSIS
    Runs the Pester suite with one version of Pester. build.ps1 starts it in a PowerShell of its own, where no other version is loaded.

.PARAMETER Pester
    Pester's manifest.

.PARAMETER Module
    The manifest of the module that is tested.

.PARAMETER Path
    The tests: files or folders.
#>
param(
    [Parameter(Mandatory)] [string] $Pester,
    [Parameter(Mandatory)] [string] $Module,
    [Parameter(Mandatory)] [string[]] $Path
)

Import-Module $Pester -ErrorAction Stop
Write-Host "Pester $((Get-Module Pester).Version), PowerShell $($PSVersionTable.PSVersion)"
$env:QCOW2_MODULE = Convert-Path -LiteralPath $Module
$options = New-PesterConfiguration
$options.Run.Path = $Path
$options.Run.PassThru = $true
$options.Output.Verbosity = 'Normal'
$result = Invoke-Pester -Configuration $options
Write-Host ('Pester: {0} passed, {1} failed, {2} skipped.' -f $result.PassedCount, $result.FailedCount, $result.SkippedCount)
exit [int]($result.Result -ne 'Passed' -or $result.PassedCount -eq 0)
