# Loads the assembly for this PowerShell: 7.4 and later, or Windows PowerShell 5.1.
$framework = 'net472'
if ($PSVersionTable.PSEdition -eq 'Core') {
    if ($PSVersionTable.PSVersion -lt [version] '7.4') {
        throw "The Qcow2 module needs PowerShell 7.4 or later, or Windows PowerShell 5.1; this is $($PSVersionTable.PSVersion)."
    }

    $framework = 'net8.0'
}

# No Join-Path: not every host of PowerShell's engine has it.
Import-Module -Name ([IO.Path]::Combine($PSScriptRoot, 'bin', $framework, 'Qcow2.PowerShell.dll'))
Export-ModuleMember -Cmdlet '*' -Alias '*'
