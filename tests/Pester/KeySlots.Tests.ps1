# docs/encryption.md, played through: its commands word for word, with cryptsetup and QEMU as the judges.
BeforeDiscovery {
    $script:noQemu = -not (Get-Command qemu-io -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Push-Location $TestDrive
    $page = Get-Content -Raw (Join-Path (Split-Path (Split-Path $PSScriptRoot)) docs encryption.md)
    $commands = [regex]::Matches($page, '(?s)```powershell\r?\n(.*?)```').ForEach({ [scriptblock]::Create($_.Groups[1].Value.Replace('/vm/', '')) })

    function ConvertTo-Secure([string] $Text) {
        $secure = [securestring]::new()
        $Text.ToCharArray().ForEach({ $secure.AppendChar($_) })
        $secure
    }

    function Test-ByQemu([string] $Path, [string] $Passphrase) {
        qemu-io --object "secret,id=s,data=$Passphrase" --image-opts "driver=qcow2,file.filename=$Path,encrypt.key-secret=s" -c 'read -P 7 4096 3' 2>&1 | Out-Null
        $LASTEXITCODE -eq 0
    }

    $secure, $new, $recovery = (ConvertTo-Secure first), (ConvertTo-Secure second), (ConvertTo-Secure third)
    # A table of this file's own: the one that is there is the session's, and so that of the files that follow.
    $PSDefaultParameterValues = @{ '*-Qcow2KeySlot:IterationTimeMilliseconds' = 0; '*-Qcow2Image:IterationTimeMilliseconds' = 0; '*-Qcow2KeySlot:Confirm' = $false }
    Mock Read-Host { $secure }

    function Set-Content7([string] $Path) {
        $raw = [byte[]]::new(1MB)
        4096..4098 | ForEach-Object { $raw[$_] = 7 }
        [IO.File]::WriteAllBytes("$PWD/plain.raw", $raw)
        Convert-Qcow2Image plain.raw $Path -Encryption Luks -DestinationPassphrase $secure -Force
    }
}

AfterAll {
    Pop-Location
}

Describe 'Passphrases of an image' {
    It 'are set when it is made' {
        . $commands[0] | Out-Null
        (Get-Qcow2KeySlot vault.qcow2).KeySlot | Should -Be 0
        Set-Content7 vault.qcow2
    }

    It 'come, change and go' {
        $shown = . $commands[1]
        $shown.KeySlot | Should -Be 0
        (Get-Qcow2KeySlot vault.qcow2).KeySlot | Should -Be 0
        (Get-Qcow2KeySlot vault.qcow2 -Passphrase $new).KeySlot | Should -Be 0
        { Get-Qcow2KeySlot vault.qcow2 -Passphrase $secure -ErrorAction Stop } | Should -Throw -ErrorId 'PassphraseIncorrect,*'
    }

    It 'open it in QEMU' -Skip:$noQemu {
        Test-ByQemu vault.qcow2 second | Should -BeTrue
        Test-ByQemu vault.qcow2 first | Should -BeFalse
    }
}

Describe 'A passphrase of a fleet' {
    It 'changes in every image that has it, and the others are errors' {
        Remove-Item *.qcow2
        foreach ($name in 'web01', 'web02', 'web03') {
            Set-Content7 "$name.qcow2"
        }

        Set-Qcow2KeySlot web02.qcow2 -Passphrase $secure -NewPassphrase $recovery
        $null = New-Qcow2Image plain.qcow2 1MB
        $ErrorActionPreference = 'SilentlyContinue'
        $said = . ([scriptblock]::Create($commands[2].ToString().Replace('-ErrorAction Continue', '-ErrorAction SilentlyContinue')))
        "$said" | Should -BeLike '*web02.qcow2: PassphraseIncorrect,*'
        @($said).Count | Should -Be 1
        foreach ($name in 'web01', 'web03') {
            (Get-Qcow2KeySlot "$name.qcow2" -Passphrase $new).KeySlot | Should -Be 0
        }

        (Get-Qcow2KeySlot web02.qcow2 -Passphrase $recovery).KeySlot | Should -Be 0
    }

    It 'asks before it is removed, and the last one is not' {
        { Remove-Qcow2KeySlot web01.qcow2 0 -ErrorAction Stop } | Should -Throw -ErrorId 'LastKeySlot,*' -ExpectedMessage '*gone for good*-Force*'
        (Get-Command Remove-Qcow2KeySlot).ImplementingType.GetCustomAttributes($true).ConfirmImpact | Should -Contain High
    }

    It 'can be given another key' {
        Copy-Item web02.qcow2 vault.qcow2
        $secure = $recovery
        . $commands[3]
        (Get-Qcow2Image vault-new.qcow2).Luks.Uuid | Should -Not -Be (Get-Qcow2Image vault.qcow2).Luks.Uuid
        (Get-Qcow2KeySlot vault-new.qcow2 -Passphrase $new).KeySlot | Should -Be 0
    }
}

Describe 'A key slot as an object' {
    It 'can be built and mocked' {
        Mock Get-Qcow2KeySlot { [Qcow2.Engine.Qcow2KeySlot] @{ Path = 'x'; KeySlot = 3; IsActive = $true } }
        Get-Qcow2KeySlot x | Should -BeOfType Qcow2.Engine.Qcow2KeySlot
    }
}
