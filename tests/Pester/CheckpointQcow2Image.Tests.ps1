BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture snapshots-vmstate.qcow2, snapshots-v2.qcow2 $TestDrive
    Push-Location $TestDrive
}

AfterAll {
    Pop-Location
}

Describe 'Snapshots of an image' {
    BeforeEach {
        New-Qcow2Image disk.qcow2 64MB -Force
        Write-Qcow2Image disk.qcow2 -Offset 1MB -Value 1, 2, 3
    }

    It 'are taken, listed, restored, renamed and removed' {
        $first = Checkpoint-Qcow2Image disk.qcow2 before-patch -PassThru
        $first | Should -BeOfType Qcow2.Engine.Qcow2Snapshot
        $first.DiskSize | Should -Be 64MB
        Write-Qcow2Image disk.qcow2 -Offset 1MB -Value 9, 9, 9
        Checkpoint-Qcow2Image disk.qcow2 -SnapshotName after-patch

        (Get-Qcow2Snapshot disk.qcow2).Name | Should -Be 'before-patch', 'after-patch'
        $first | Restore-Qcow2Snapshot -Confirm:$false
        (Read-Qcow2Image disk.qcow2 -Offset 1MB -Count 3) -join ' ' | Should -Be '1 2 3'
        Rename-Qcow2Snapshot disk.qcow2 after-patch patched
        Restore-Qcow2Snapshot disk.qcow2 patched -Confirm:$false
        (Read-Qcow2Image disk.qcow2 -Offset 1MB -Count 3) -join ' ' | Should -Be '9 9 9'
        Get-Qcow2Snapshot disk.qcow2 | Remove-Qcow2Snapshot -Confirm:$false
        Get-Qcow2Snapshot disk.qcow2 | Should -BeNullOrEmpty
    }

    It 'are taken of every file that Get-ChildItem finds, brackets and all' {
        New-Qcow2Image 'odd [1].qcow2' 1MB -Force
        $taken = Get-ChildItem disk.qcow2, *odd*.qcow2 | Checkpoint-Qcow2Image -SnapshotName nightly -PassThru
        $taken.Name | Should -Be nightly, nightly
        Get-Qcow2Snapshot disk.qcow2 | Where-Object CreationTime -LT (Get-Date).AddDays(-30) | Remove-Qcow2Snapshot -Confirm:$false
        (Get-Qcow2Snapshot disk.qcow2).Name | Should -Be nightly -Because 'it is not 30 days old'
    }

    It 'ask before anything is lost' {
        Checkpoint-Qcow2Image disk.qcow2 first
        (Get-Command Restore-Qcow2Snapshot, Remove-Qcow2Snapshot).ForEach{
            [System.Management.Automation.CommandMetadata]::new($_).ConfirmImpact
        } | Should -Be High, High
        Restore-Qcow2Snapshot disk.qcow2 first -WhatIf
        Remove-Qcow2Snapshot disk.qcow2 first -WhatIf
        (Get-Qcow2Snapshot disk.qcow2).Name | Should -Be first
    }

    It 'say what is wrong' {
        Checkpoint-Qcow2Image disk.qcow2 first
        { Checkpoint-Qcow2Image disk.qcow2 first -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotExists,*'
        { Restore-Qcow2Snapshot disk.qcow2 none -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
        { Remove-Qcow2Snapshot disk.qcow2 -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotSpecified,*'
    }

    It 'keep the state of a virtual machine' {
        $before = (Get-Qcow2Snapshot snapshots-vmstate.qcow2)[0]
        Checkpoint-Qcow2Image snapshots-vmstate.qcow2 another
        Restore-Qcow2Snapshot snapshots-vmstate.qcow2 $before.Id -Confirm:$false
        $after = Get-Qcow2Snapshot snapshots-vmstate.qcow2 -Id $before.Id
        $after.VmStateSize | Should -Be $before.VmStateSize
        $after.VmStateSize | Should -BeGreaterThan 0
    }

    It 'can be completed by name' {
        Checkpoint-Qcow2Image disk.qcow2 'with space'
        $line = 'Restore-Qcow2Snapshot disk.qcow2 -SnapshotName '
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be "'with space'"
    }
}
