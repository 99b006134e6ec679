BeforeDiscovery {
    $script:noQemu = -not (Get-Command qemu-img -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture v3.qcow2, zstd.qcow2, snapshots.qcow2 $TestDrive
    Push-Location $TestDrive
}

AfterAll {
    Pop-Location
}

Describe 'Compare-Qcow2Image' {
    It 'finds an image equal to its conversion by qemu-img, and to no other' -Skip:$noQemu {
        qemu-img convert -f qcow2 -O raw zstd.qcow2 zstd.raw
        $result = Compare-Qcow2Image zstd.qcow2 zstd.raw
        $result | Should -BeOfType Qcow2.Engine.Qcow2CompareResult
        $result.AreEqual | Should -BeTrue
        $result.FirstDifference | Should -BeNullOrEmpty
        Compare-Qcow2Image zstd.qcow2 snapshots.qcow2 -Quiet | Should -BeExactly $false
    }

    It 'says where a changed copy differs' {
        Copy-Item v3.qcow2 changed.qcow2
        Write-Qcow2Image changed.qcow2 -Offset 100000 -Value ([byte[]] (0xee, 0xee))
        $result = Compare-Qcow2Image v3.qcow2 changed.qcow2
        $result.AreEqual | Should -BeFalse
        $result.FirstDifference | Should -Be 100000
        $result.Ranges | Should -HaveCount 1
        $result.Ranges[0].Offset | Should -Be 98304
        $result | Out-String | Should -Match '0x186a0\s+4 KiB\s+1 v3\.qcow2\s+changed\.qcow2'
        $list = $result | Format-List | Out-String
        $list | Should -Match 'FirstDifference\s+: 0x186a0\s'
        $list | Should -Match 'DifferingBytes\s+: 4 KiB \(4.096 bytes\) in whole blocks'
        $list | Should -Match 'Ranges\s+: 0x18000, 4 KiB'
        $result.Ranges | Out-String | Should -Match '0x18000\s+4 KiB'
    }

    It 'takes images from the pipeline, each with a name of its own to compare with' {
        $null = New-Item copies -ItemType Directory
        Copy-Item v3.qcow2, zstd.qcow2 copies
        $results = Get-Item v3.qcow2, zstd.qcow2 | Compare-Qcow2Image -DifferencePath { "copies/$($_.Name)" }
        $results.AreEqual | Should -Be $true, $true
        $results[1].DifferencePath | Should -Be (Join-Path $TestDrive 'copies/zstd.qcow2')
    }

    It 'compares snapshots' {
        Get-Qcow2Snapshot snapshots.qcow2 | Compare-Qcow2Image -DifferencePath snapshots.qcow2 | Should -HaveCount 4
        Compare-Qcow2Image snapshots.qcow2 snapshots.qcow2 -SnapshotName first -DifferenceSnapshotName first -Quiet | Should -BeExactly $true
    }

    It 'makes allocation a difference with -Strict' {
        $null = New-Qcow2Image empty.qcow2 1MB
        $null = New-Qcow2Image zeros.qcow2 1MB
        Write-Qcow2Image zeros.qcow2 -Offset 0 -Value ([byte[]]::new(64KB))
        Compare-Qcow2Image empty.qcow2 zeros.qcow2 -Quiet | Should -BeExactly $true
        Compare-Qcow2Image empty.qcow2 zeros.qcow2 -Quiet -Strict | Should -BeExactly $false
        (Compare-Qcow2Image empty.qcow2 zeros.qcow2 -Strict).FirstAllocationDifference | Should -Be 0
    }

    It 'does not guess what a file of a raw name with an image inside is' {
        Copy-Item v3.qcow2 planted.raw
        { Compare-Qcow2Image v3.qcow2 planted.raw -ErrorAction Stop } | Should -Throw -ErrorId 'FormatAmbiguous,*'
        Compare-Qcow2Image v3.qcow2 planted.raw -DifferenceFormat Qcow2 -Quiet | Should -BeExactly $true
        Compare-Qcow2Image v3.qcow2 planted.raw -DifferenceFormat Raw -Quiet | Should -BeExactly $false
    }

    It 'can be mocked' {
        Mock Compare-Qcow2Image { [Qcow2.Engine.Qcow2CompareResult] @{ Path = 'x'; AreEqual = $true; Ranges = [Qcow2.Engine.DiskRange]::new(0, 1) } }
        (Compare-Qcow2Image nowhere.qcow2 nowhere.raw).AreEqual | Should -BeTrue
    }
}
