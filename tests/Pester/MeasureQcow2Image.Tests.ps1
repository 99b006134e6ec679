BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture v3.qcow2, bitmaps.qcow2, snapshots.qcow2, luks.qcow2, sparse-1t.qcow2 $TestDrive
    Push-Location $TestDrive
}

AfterAll {
    Pop-Location
}

Describe 'Measure-Qcow2Image' {
    It 'measures a size' {
        $result = Measure-Qcow2Image -SizeBytes 1TB
        $result | Should -BeOfType Qcow2.Engine.Qcow2MeasureResult
        $result.RequiredBytes | Should -Be 168034304
        $result.FullyAllocatedBytes | Should -Be 1099679662080
        $result.DestinationFormat | Should -Be Qcow2
        $result.BitmapsBytes | Should -BeNullOrEmpty
    }

    It 'takes every spelling of a size' {
        foreach ($size in 1GB, '1G', '1GiB', 1073741824, '0x40000000') {
            (Measure-Qcow2Image -SizeBytes $size -DestinationFormat Raw).RequiredBytes | Should -Be 1GB
        }
    }

    It 'measures images from every way in' {
        (Measure-Qcow2Image bitmaps.qcow2).BitmapsBytes | Should -BeGreaterThan 0
        (Get-Item v3.qcow2 | Measure-Qcow2Image).Path | Should -Be (Join-Path $TestDrive v3.qcow2)
        Get-ChildItem *.qcow2 | Measure-Qcow2Image | Should -HaveCount 5
        (Get-Qcow2Snapshot snapshots.qcow2 -Id 3 | Measure-Qcow2Image).Size | Should -Be 400KB
        (Measure-Qcow2Image luks.qcow2 -ErrorAction Stop).Size | Should -Be 256KB
    }

    It 'is enough for the image that is made' {
        foreach ($layout in @{}, @{ ClusterSizeBytes = 4KB; Preallocation = 'Full' }, @{ ExtendedL2 = $true; Preallocation = 'Metadata' }) {
            $needed = Measure-Qcow2Image -SizeBytes 20MB @layout
            $image = New-Qcow2Image made.qcow2 20MB -Force @layout
            $image.FileSize | Should -BeLessOrEqual $needed.FullyAllocatedBytes
            $image.AllocatedSize | Should -BeLessOrEqual ($needed.RequiredBytes + 4KB)
        }

        (Get-Qcow2Extent v3.qcow2 | Where-Object Kind -EQ Data | Measure-Object Length -Sum).Sum |
            Should -BeLessOrEqual (Measure-Qcow2Image v3.qcow2).RequiredBytes
    }

    It 'refuses layouts that cannot be' {
        { Measure-Qcow2Image -SizeBytes 1GB -Version 2 -ExtendedL2 } | Should -Throw -ErrorId 'OptionsContradict,*'
        { Measure-Qcow2Image -SizeBytes 1GB -SnapshotName x } | Should -Throw -ErrorId 'OptionsContradict,*'
        { Measure-Qcow2Image -SizeBytes 1PB -ClusterSizeBytes 512 -ErrorAction Stop } | Should -Throw -ErrorId 'LimitExceeded,*'
    }

    It 'can be mocked in the tests of a runbook' {
        Mock Measure-Qcow2Image { [Qcow2.Engine.Qcow2MeasureResult]@{ Path = 'x'; RequiredBytes = 5 } }
        (Measure-Qcow2Image x).RequiredBytes | Should -Be 5
    }

    It 'shows sizes that people read' {
        Measure-Qcow2Image v3.qcow2 | Out-String | Should -Match 'KiB\s.*v3\.qcow2'
        Measure-Qcow2Image -SizeBytes 1GB -DestinationFormat Raw | Format-List | Out-String | Should -Match 'RequiredBytes\s+: 1 GiB \(1.073.741.824 bytes\)'
    }
}
