# Loads the assembly for this PowerShell: 7.4 and later, or Windows PowerShell 5.1. Every session pays for what stands here, most of all for operators and
# calls, which PowerShell compiles: so what tells an old PowerShell apart is asked only when the assembly could not be loaded.
$folder = 'net472'
if ($PSEdition -eq 'Core') {
    $folder = 'net8.0'
    # The same, compiled ahead for this system. Where that is not there, or this .NET does not take its machine code, the JIT compiles it.
    $ahead = "net8.0/$([Runtime.InteropServices.RuntimeInformation]::RuntimeIdentifier)"
    if ([IO.Directory]::Exists("$PSScriptRoot/bin/$ahead")) {
        $folder = $ahead
    }
}

try {
    # No Join-Path: not every host of PowerShell's engine has it.
    Import-Module -Name "$PSScriptRoot/bin/$folder/Qcow2.PowerShell.dll" -ErrorAction Stop
}
catch {
    if ($PSEdition -eq 'Core' -and $PSVersionTable.PSVersion -lt [version] '7.4') {
        throw "The Qcow2 module needs PowerShell 7.4 or later, or Windows PowerShell 5.1; this is $($PSVersionTable.PSVersion)."
    }

    throw
}

Export-ModuleMember -Cmdlet '*' -Alias '*'
