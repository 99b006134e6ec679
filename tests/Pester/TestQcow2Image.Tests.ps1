BeforeDiscovery {
    $script:noQemu = -not ((Get-Command qemu-img -ErrorAction Ignore) -and (Get-Command qemu-io -ErrorAction Ignore))
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture v3.qcow2, bit-dirty.qcow2, chain-top.qcow2, chain-middle.qcow2, chain-base.qcow2, backing-qcow2.qcow2, backing-base.qcow2 $TestDrive
    Push-Location $TestDrive

    # Clears the entry of the refcount table: no refcount can be read any more.
    function New-BrokenImage ([string] $Path) {
        $null = New-Qcow2Image $Path 10MB -Force
        Write-Qcow2Image $Path -Offset 1MB -Value ([byte[]] @(0x5a) * 200000)
        $stream = [IO.File]::Open((Convert-Path $Path), 'Open', 'ReadWrite')
        try {
            $header = [byte[]]::new(112)
            $null = $stream.Read($header, 0, 112)
            [array]::Reverse($header, 48, 8)
            $stream.Position = [BitConverter]::ToInt64($header, 48)
            $stream.Write([byte[]]::new(8), 0, 8)
        }
        finally {
            $stream.Dispose()
        }
    }
}

AfterAll {
    Pop-Location
}

Describe 'Test-Qcow2Image' {
    It 'finds a sound image healthy' {
        $result = Test-Qcow2Image v3.qcow2
        $result | Should -BeOfType Qcow2.Engine.Qcow2CheckResult
        $result.IsHealthy | Should -BeTrue
        $result.Findings | Should -BeNullOrEmpty
        Test-Qcow2Image v3.qcow2 -Quiet | Should -BeExactly $true
    }

    It 'gives the numbers of qemu-img check' -Skip:$noQemu {
        New-BrokenImage broken.qcow2
        $expected = qemu-img check --output=json broken.qcow2 2> $null | ConvertFrom-Json
        $result = Test-Qcow2Image broken.qcow2
        $result.Corruptions | Should -Be $expected.corruptions
        $result.AllocatedClusters | Should -Be $expected.'allocated-clusters'
        $result.ImageEndOffset | Should -Be $expected.'image-end-offset'
        $result.IsHealthy | Should -BeFalse
    }

    It 'shows what is wrong' {
        New-BrokenImage broken.qcow2
        $shown = Test-Qcow2Image broken.qcow2 | Format-List | Out-String -Width 200
        $shown | Should -Match 'Corruptions\s+: \d+'
        $shown | Should -Match 'Corruption: The cluster at 0x0 has the refcount 0, but 1 reference'
        Test-Qcow2Image broken.qcow2 | Out-String -Width 200 | Should -Match 'broken\.qcow2'
        (Test-Qcow2Image broken.qcow2).Findings | Out-String -Width 200 | Should -Match 'RefcountTooLow'
    }

    It 'checks a chain' {
        (Test-Qcow2Image chain-top.qcow2 -BackingChain).Depth | Should -Be 0, 1, 2
        Test-Qcow2Image chain-top.qcow2 -BackingChain -Quiet | Should -BeExactly $true
    }

    It 'takes no image from strangers that names other files' {
        Test-Qcow2Image backing-qcow2.qcow2 -Quiet | Should -BeExactly $true
        Test-Qcow2Image backing-qcow2.qcow2 -Untrusted -Quiet | Should -BeExactly $false
        (Test-Qcow2Image backing-qcow2.qcow2 -Untrusted).Findings.Kind | Should -Be ReferenceToOtherFile
        Test-Qcow2Image v3.qcow2 -Untrusted -ReadData -Quiet | Should -BeExactly $true
    }

    It 'checks <Format> images' -ForEach @(
        @{ Format = 'vhd'; Cut = 2MB }
        @{ Format = 'vhdx'; Cut = 6MB }
        @{ Format = 'vdi'; Cut = 4.5MB }
    ) {
        [IO.File]::WriteAllBytes((Join-Path $TestDrive disk.raw), [byte[]] @(0x5a) * 3MB)
        Convert-Qcow2Image disk.raw "disk.$Format" -Force
        $result = Test-Qcow2Image "disk.$Format" -Untrusted -ReadData
        $result.Findings.Message | Should -BeNullOrEmpty
        $result.IsHealthy | Should -BeTrue
        $result.AllocatedClusters | Should -BeGreaterThan 0

        # Cut off, as by a download that did not end.
        $stream = [IO.File]::Open((Convert-Path "disk.$Format"), 'Open', 'ReadWrite')
        $stream.SetLength($Cut)
        $stream.Dispose()
        $cutOff = Test-Qcow2Image "disk.$Format" -SourceFormat $Format -WarningAction Ignore
        $cutOff.IsHealthy | Should -BeFalse
        $cutOff.Findings.Kind | Should -Contain FileCutOff
        $cutOff | Format-List | Out-String -Width 200 | Should -Match 'Corruption: '
    }

    It 'checks VMDK images, with their extents' -Skip:$noQemu {
        [IO.File]::WriteAllBytes((Join-Path $TestDrive disk.raw), [byte[]] @(0x5a) * 3MB)
        qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentSparse disk.raw disk.vmdk
        (Test-Qcow2Image disk.vmdk -ReadData).IsHealthy | Should -BeTrue
        (Test-Qcow2Image disk.vmdk -Untrusted).Findings.Kind | Should -Be ReferenceToOtherFile
        Remove-Item disk-s001.vmdk
        (Test-Qcow2Image disk.vmdk).Findings.Kind | Should -Contain ExtentUnavailable
        { Repair-Qcow2Image disk.vmdk -Mode All -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'NotQcow2*'
    }

    It 'can be mocked' {
        Mock Test-Qcow2Image { [Qcow2.Engine.Qcow2CheckResult] @{ Path = 'x'; IsHealthy = $true } }
        (Test-Qcow2Image nowhere.qcow2).IsHealthy | Should -BeTrue
    }
}

Describe 'Repair-Qcow2Image' {
    BeforeEach {
        New-BrokenImage broken.qcow2
    }

    It 'makes refcounts anew and keeps the data' -Skip:$noQemu {
        $result = Repair-Qcow2Image broken.qcow2 -Mode All -Confirm:$false
        $result.IsHealthy | Should -BeTrue
        $result.Before.Corruptions | Should -BeGreaterThan 0
        $result.CorruptionsFixed | Should -Be $result.Before.Corruptions
        qemu-img check -q broken.qcow2
        $LASTEXITCODE | Should -Be 0
        qemu-io -f qcow2 -c 'read -P 0x5a 1M 200000' broken.qcow2 | Where-Object { $_ -match 'failed' } | Should -BeNullOrEmpty
    }

    It 'changes nothing with -WhatIf' {
        $before = Get-Sha256 broken.qcow2
        Repair-Qcow2Image broken.qcow2 -Mode All -WhatIf | Should -BeNullOrEmpty
        Get-Sha256 broken.qcow2 | Should -Be $before
    }

    It 'leaves corruptions to -Mode All' {
        (Repair-Qcow2Image broken.qcow2 -Mode Leaks).IsHealthy | Should -BeFalse
    }

    It 'clears the mark of an image that was not closed' {
        (Get-Qcow2Image bit-dirty.qcow2).IsDirty | Should -BeTrue
        Get-Qcow2Image bit-dirty.qcow2 | Repair-Qcow2Image -Mode All -Confirm:$false | ForEach-Object IsDirty | Should -BeFalse
        (Get-Qcow2Image bit-dirty.qcow2).IsDirty | Should -BeFalse
    }
}
