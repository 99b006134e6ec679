# What Get-Help gives on the module as it is shipped. The environment variable QCOW2_MODULE names its manifest.

BeforeDiscovery {
    $manifest = $env:QCOW2_MODULE
    if (-not $manifest) {
        throw 'QCOW2_MODULE is not set: run ./build.ps1 -Task Test, or set it to the path of the laid out Qcow2.psd1.'
    }

    Import-Module $manifest -Force
    $commands = (Get-Module Qcow2).ExportedCmdlets.Values | Sort-Object Name | ForEach-Object {
        @{ Name = $_.Name; Sets = $_.ParameterSets.Count }
    }
    $aliases = (Get-Module Qcow2).ExportedAliases.Values | ForEach-Object { @{ Alias = $_.Name; Name = $_.Definition } }
}

BeforeAll {
    Import-Module $env:QCOW2_MODULE -Force

    $all = @{}
    foreach ($exported in (Get-Module Qcow2).ExportedCmdlets.Keys) {
        $all[$exported] = Get-Help $exported -Full
    }
}

Describe 'Help on <Name>' -ForEach $commands {
    BeforeAll {
        $help = $all[$Name]
    }

    It 'comes from the help file' {
        $help.PSObject.TypeNames | Should -Contain 'MamlCommandHelpInfo#FullView'
    }

    It 'has a synopsis of one sentence' {
        $help.Synopsis.Trim() | Should -Match '^[A-Z].*\.$'
    }

    It 'has a description' {
        -join $help.description.Text | Should -Not -BeNullOrEmpty
    }

    It 'has a syntax line for each parameter set' {
        @($help.syntax.syntaxItem).Count | Should -Be $Sets
    }

    It 'has examples, with remarks, that are PowerShell and call it' {
        $names = @($Name) + @((Get-Module Qcow2).ExportedAliases.Values | Where-Object Definition -EQ $Name).Name
        @($help.examples.example).Count | Should -BeGreaterThan 0
        foreach ($example in $help.examples.example) {
            $example.introduction.Text | Should -BeLike 'PS>*'
            -join $example.remarks.Text | Should -Not -BeNullOrEmpty

            $errors = $null
            $ast = [System.Management.Automation.Language.Parser]::ParseInput($example.code, [ref] $null, [ref] $errors)
            $errors | Should -BeNullOrEmpty
            $calls = $ast.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true)
            @($calls | Where-Object { $_.GetCommandName() -in $names }) | Should -Not -BeNullOrEmpty -Because "'$($example.code)' is an example of it"
        }
    }

    It 'uses only parameters that exist in its examples' {
        foreach ($example in $help.examples.example) {
            $ast = [System.Management.Automation.Language.Parser]::ParseInput($example.code, [ref] $null, [ref] $null)
            $calls = $ast.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] -and $args[0].GetCommandName() -like '*-Qcow2*' }, $true)
            foreach ($call in $calls) {
                $command = Get-Command $call.GetCommandName()
                if ($command -is [System.Management.Automation.AliasInfo]) {
                    $command = $command.ResolvedCommand
                }

                $used = $call.CommandElements | Where-Object { $_ -is [System.Management.Automation.Language.CommandParameterAst] }
                foreach ($parameter in $used) {
                    { $command.ResolveParameter($parameter.ParameterName) } | Should -Not -Throw -Because "'$($example.code)' has -$($parameter.ParameterName)"
                }
            }
        }
    }

    It 'says what it takes and what it emits' {
        $help.inputTypes.inputType.type.name | Should -Not -BeNullOrEmpty
        $help.returnValues.returnValue.type.name | Should -Not -BeNullOrEmpty
    }

    It 'shows <View>' -ForEach @(
        @{ View = '-Full'; Option = @{ Full = $true }; Text = 'Accept wildcard characters' }
        @{ View = '-Detailed'; Option = @{ Detailed = $true }; Text = 'PARAMETERS' }
        @{ View = '-Examples'; Option = @{ Examples = $true }; Text = 'Example 1' }
    ) {
        Get-Help $Name @Option | Out-String | Should -BeLike "*$Text*"
    }
}

Describe 'Help on the parameters of <Name>' -ForEach $commands {
    It 'has a description and the facts of the command' {
        $described = @{}
        foreach ($parameter in $all[$Name].parameters.parameter) {
            $described[$parameter.name] = $parameter
        }

        $parameters = (Get-Command $Name).Parameters.Values | Where-Object Name -NotIn ([System.Management.Automation.Cmdlet]::CommonParameters)
        $wrong = foreach ($parameter in $parameters) {
            $help = $described[$parameter.Name]
            $aliases = if ($parameter.Aliases) { $parameter.Aliases -join ', ' } else { 'none' }
            $isRequired = @($parameter.ParameterSets.Values | Where-Object { -not $_.IsMandatory }).Count -eq 0
            if (-not (-join $help.description.Text)) { "-$($parameter.Name) has no description" }
            if ($help.aliases -ne $aliases) { "-$($parameter.Name) has the aliases $aliases, and not $($help.aliases)" }
            if ($help.required -ne "$isRequired") { "-$($parameter.Name) is required: $isRequired, and not $($help.required)" }
        }

        @($parameters).Count | Should -BeGreaterThan 0
        $wrong | Should -BeNullOrEmpty
    }
}

Describe 'Help by the alias <Alias>' -ForEach $aliases {
    It 'is that of <Name>' {
        (Get-Help $Alias).Name | Should -Be $Name
    }
}

Describe 'Help in <_>' -ForEach @('', 'en-US', 'en-GB', 'de-DE', 'ja-JP') {
    It 'is found' {
        # Get-Help keeps what it found: each culture needs a session of its own.
        $script = {
            param($culture, $manifest)
            [cultureinfo]::CurrentUICulture = [cultureinfo]::CurrentCulture = $culture
            Import-Module $manifest
            (Get-Help Get-Qcow2Image).description.Text.Count
        }
        $shell = [powershell]::Create()
        try {
            $shell.AddScript($script).AddArgument($_).AddArgument($env:QCOW2_MODULE).Invoke() | Should -BeGreaterThan 1
        }
        finally {
            $shell.Dispose()
        }
    }
}
