BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture snapshots.qcow2, snapshots-vmstate.qcow2, v3.qcow2 $TestDrive
    Push-Location $TestDrive
}

AfterAll {
    Pop-Location
}

Describe 'Get-Qcow2Snapshot' {
    It 'lists the snapshots of an image, oldest first' {
        $snapshots = Get-Qcow2Snapshot snapshots.qcow2
        $snapshots | Should -BeOfType Qcow2.Engine.Qcow2Snapshot
        $snapshots.Id | Should -Be '1', '2', '3', '4'
        $snapshots.DiskSize | Should -Be 256KB, 256KB, 400KB, 128KB
        $snapshots[0].CreationTime.ToUniversalTime() | Should -Be ([datetime]::new(2024, 1, 1, 1, 0, 0, [DateTimeKind]::Utc))
    }

    It 'emits nothing for an image without snapshots' {
        Get-Qcow2Snapshot v3.qcow2 -ErrorAction Stop | Should -BeNullOrEmpty
    }

    It 'selects by name, with wildcards and without case' {
        (Get-Qcow2Snapshot snapshots.qcow2 twin).Id | Should -Be '2', '3'
        (Get-Qcow2Snapshot snapshots.qcow2 -Name F*).Id | Should -Be '1'
        (Get-Qcow2Snapshot snapshots.qcow2 -SnapshotName FIRST, 'vor*').Id | Should -Be '1', '4'
    }

    It 'selects by id' {
        (Get-Qcow2Snapshot snapshots.qcow2 -Id 3).Name | Should -Be twin
        (Get-Qcow2Snapshot snapshots.qcow2 -Name twin -Id 1, 3).Id | Should -Be '3'
    }

    It 'reports a name or id that is not there, but no wildcard' {
        { Get-Qcow2Snapshot snapshots.qcow2 -Name none -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
        { Get-Qcow2Snapshot snapshots.qcow2 -Id 9 -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
        Get-Qcow2Snapshot snapshots.qcow2 -Name none* -ErrorAction Stop | Should -BeNullOrEmpty
    }

    It 'takes images from the pipeline' {
        (Get-Qcow2Image *.qcow2 | Get-Qcow2Snapshot).Count | Should -Be 7
        (Get-ChildItem *.qcow2 | Get-Qcow2Snapshot -Name twin -ErrorAction SilentlyContinue).Count | Should -Be 2 -Because 'missing names of other images are errors, not output'
    }

    It 'reads a snapshot anew from the pipeline' {
        (Get-Qcow2Snapshot snapshots.qcow2 -Id 4 | Get-Qcow2Snapshot).Id | Should -Be '4'
    }

    It 'has the alias that Hyper-V users look for' {
        (Get-Qcow2Checkpoint snapshots.qcow2).Count | Should -Be 4
    }
}
