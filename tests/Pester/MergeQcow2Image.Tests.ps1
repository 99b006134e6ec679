BeforeDiscovery {
    $script:noQemu = -not (Get-Command qemu-img -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Push-Location $TestDrive
}

AfterAll {
    Pop-Location
}

Describe 'Chains' {
    BeforeEach {
        Remove-Item *.qcow2
        $null = New-Qcow2Image base.qcow2 8MB
        $null = New-Qcow2Image middle.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2
        $null = New-Qcow2Image top.qcow2 16MB -BackingFile middle.qcow2 -BackingFormat qcow2
        Write-Qcow2Image base.qcow2 -Offset 0 -Value ([byte[]] (@(1) * 300000))
        Write-Qcow2Image middle.qcow2 -Offset 100000 -Value ([byte[]] (@(2) * 300000))
        Write-Qcow2Image top.qcow2 -Offset 12MB -Value ([byte[]] (@(3) * 300000))
        Convert-Qcow2Image top.qcow2 expected.raw -Force
    }

    It 'merges an overlay into its backing file, which grows, and empties it' {
        $merged = Merge-Qcow2Image top.qcow2 -PassThru -Confirm:$false
        $merged.Path | Should -Be (Join-Path $TestDrive middle.qcow2)
        $merged.Size | Should -Be 16MB
        (Get-Item top.qcow2).Length | Should -BeLessThan 400KB
        Convert-Qcow2Image middle.qcow2 merged.raw -Force
        (Get-FileHash merged.raw).Hash | Should -Be (Get-FileHash expected.raw).Hash
    }

    It 'merges a chain into its base, deletes the rest, and qemu-img agrees' -Skip:$noQemu {
        Merge-Qcow2Image top.qcow2 -DestinationPath base.qcow2 -DeleteSource -Confirm:$false
        (Get-ChildItem *.qcow2).Name | Should -Be base.qcow2
        qemu-img check -q base.qcow2
        $LASTEXITCODE | Should -Be 0
        qemu-img compare -q -f qcow2 -F raw base.qcow2 expected.raw
        $LASTEXITCODE | Should -Be 0
    }

    It 'makes an image independent of its chain, and qemu-img agrees' -Skip:$noQemu {
        Set-Qcow2Image top.qcow2 -BackingFile ''
        Remove-Item base.qcow2, middle.qcow2
        qemu-img check -q top.qcow2
        $LASTEXITCODE | Should -Be 0
        qemu-img compare -q -f qcow2 -F raw top.qcow2 expected.raw
        $LASTEXITCODE | Should -Be 0
    }

    It 'layers an image on another one without changing what it shows' {
        (Set-Qcow2Image top.qcow2 base.qcow2 -BackingFormat qcow2 -PassThru).BackingFile | Should -Be base.qcow2
        Convert-Qcow2Image top.qcow2 rebased.raw -Force
        (Get-FileHash rebased.raw).Hash | Should -Be (Get-FileHash expected.raw).Hash
    }

    It 'says which backing file is missing, and mends its name' {
        Rename-Item base.qcow2 renamed.qcow2
        $chain = Get-Qcow2Image top.qcow2 -BackingChain -ErrorAction SilentlyContinue -ErrorVariable problem
        $problem.FullyQualifiedErrorId | Should -Be 'BackingFileUnavailable,Qcow2.PowerShell.Commands.GetQcow2ImageCommand'
        $chain[-1].BackingFileProblem | Should -BeLike '*does not exist*'
        $chain[-1] | Format-List | Out-String | Should -Match 'BackingFileProblem\s*: .*does not exist'
        $chain[-1] | Set-Qcow2Image -BackingFile renamed.qcow2 -MetadataOnly
        (Get-Qcow2Image top.qcow2 -BackingChain).Count | Should -Be 3
        Convert-Qcow2Image top.qcow2 mended.raw -Force
        (Get-FileHash mended.raw).Hash | Should -Be (Get-FileHash expected.raw).Hash
    }

    It 'changes nothing with -WhatIf' {
        $before = (Get-ChildItem *.qcow2 | Get-FileHash).Hash
        Merge-Qcow2Image top.qcow2 base.qcow2 -DeleteSource -WhatIf
        Set-Qcow2Image top.qcow2 '' -WhatIf
        (Get-ChildItem *.qcow2 | Get-FileHash).Hash | Should -Be $before
    }
}
