BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture chain-top.qcow2, chain-middle.qcow2, chain-base.qcow2, extl2.qcow2, zstd.qcow2, luks.qcow2, snapshots.qcow2,
        data-file.qcow2, data-file.raw, sparse-1t.qcow2 $TestDrive
    Push-Location $TestDrive
}

AfterAll {
    Pop-Location
}

Describe 'Get-Qcow2Extent' {
    It 'covers the disk without gaps' {
        $extents = Get-Qcow2Extent chain-top.qcow2
        $extents | Should -BeOfType Qcow2.Engine.Qcow2Extent
        $position = 0
        foreach ($extent in $extents) {
            $extent.Offset | Should -Be $position
            $position += $extent.Length
        }

        $position | Should -Be (Get-Qcow2Image chain-top.qcow2).Size
        $extents.Depth | Sort-Object -Unique | Should -Be 0, 1, 2
    }

    It 'says what qemu-img map says' {
        $map = Get-Content (Join-Path $PSScriptRoot ../Fixtures/expected/extl2.map.json) -Raw | ConvertFrom-Json
        $data = Get-Qcow2Extent extl2.qcow2 | Where-Object Kind -EQ Data
        $data.Offset | Should -Be ($map | Where-Object data).start
        $data.Length | Should -Be ($map | Where-Object data).length
        $data.HostOffset | Should -Be ($map | Where-Object data).offset
    }

    It 'maps a part, with sizes of every spelling' {
        foreach ($size in 64KB, '64KB', '64K', '64k', '64KiB', 65536, '65536', '0x10000') {
            $extent = Get-Qcow2Extent zstd.qcow2 -Offset $size -Length '0.0625M'
            $extent.Offset | Should -Be 64KB
            $extent.Length | Should -Be 64KB
        }
    }

    It 'refuses what is no size' {
        { Get-Qcow2Extent zstd.qcow2 -Offset much } | Should -Throw -ExpectedMessage "*'much' is not a size*"
        { Get-Qcow2Extent zstd.qcow2 -Offset -1 } | Should -Throw -ExpectedMessage '*negative*'
        { Get-Qcow2Extent zstd.qcow2 -Offset 9E } | Should -Throw -ExpectedMessage '*too large*'
    }

    It 'emits nothing past the end' {
        Get-Qcow2Extent zstd.qcow2 -Offset 1TB -ErrorAction Stop | Should -BeNullOrEmpty
    }

    It 'needs no passphrase' {
        (Get-Qcow2Extent luks.qcow2 -ErrorAction Stop | Measure-Object Length -Sum).Sum | Should -Be 256KB
    }

    It 'maps a snapshot, by name, id and from the pipeline' {
        (Get-Qcow2Extent snapshots.qcow2 -SnapshotName first | Measure-Object Length -Sum).Sum | Should -Be 256KB
        (Get-Qcow2Extent snapshots.qcow2 -SnapshotId 3 | Measure-Object Length -Sum).Sum | Should -Be 400KB
        (Get-Qcow2Snapshot snapshots.qcow2 -Id 3 | Get-Qcow2Extent | Measure-Object Length -Sum).Sum | Should -Be 400KB
        { Get-Qcow2Extent snapshots.qcow2 -SnapshotName twin -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotAmbiguous,*' -ExpectedMessage '*id 2*id 3*'
    }

    It 'takes another data file' {
        Move-Item data-file.raw moved.raw
        { Get-Qcow2Extent data-file.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'DataFileUnavailable,*'
        $extent = Get-Qcow2Extent data-file.qcow2 -DataFile moved.raw | Where-Object Kind -EQ Data | Select-Object -First 1
        $extent.FilePath | Should -Be (Join-Path $TestDrive moved.raw)
    }

    It 'streams: the first extents come at once, and Select-Object ends the rest' {
        $watch = [Diagnostics.Stopwatch]::StartNew()
        (Get-Qcow2Extent sparse-1t.qcow2 | Select-Object -First 1).Offset | Should -Be 0
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 5
    }

    It 'has the alias Get-Qcow2Map' {
        (Get-Qcow2Map zstd.qcow2 -Length 1).Length | Should -Be 1
    }
}
