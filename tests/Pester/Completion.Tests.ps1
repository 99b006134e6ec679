BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture snapshots.qcow2, v3.qcow2 $TestDrive
    Push-Location $TestDrive

    function Get-Completion {
        param([string] $Line)

        (TabExpansion2 $Line $Line.Length).CompletionMatches.CompletionText
    }
}

AfterAll {
    Pop-Location
}

Describe 'Completion' {
    It 'offers the snapshots of the image that the line names; those with one name by id' {
        Get-Completion 'Get-Qcow2Snapshot snapshots.qcow2 -Name ' | Should -Be 'first', '2', '3', "'vor dem Größenwechsel'"
        Get-Completion 'Convert-Qcow2Image snapshots.qcow2 x.raw -SnapshotName f' | Should -Be 'first'
        Get-Completion 'Get-Qcow2Extent -LiteralPath ./snapshots.qcow2 -SnapshotName "v' | Should -Be "'vor dem Größenwechsel'"
        Get-Completion 'Get-Qcow2Snapshot snapshots.qcow2 -Id ' | Should -Be '1', '2', '3', '4'
    }

    It 'offers those of an image in a variable' {
        Set-Variable completionImage (Get-Qcow2Image snapshots.qcow2) -Scope Global
        Get-Completion 'Get-Qcow2Extent -InputObject $completionImage -SnapshotName f' | Should -Be 'first'
        Remove-Variable completionImage -Scope Global
    }

    It 'offers nothing, and does not fail, where there is nothing to offer' {
        Get-Completion 'Get-Qcow2Snapshot v3.qcow2 -Name ' | Should -Not -Contain 'first'
        { Get-Completion 'Get-Qcow2Snapshot missing.qcow2 -Name ' } | Should -Not -Throw
        { Get-Completion 'Get-Qcow2Snapshot env:PATH -Name ' } | Should -Not -Throw
        { Get-Completion 'Get-Qcow2Snapshot -Name ' } | Should -Not -Throw
    }

    It 'offers closed sets' {
        Get-Completion 'Convert-Qcow2Image x -BackingFormat ' | Should -Be 'parallels', 'qcow', 'qcow2', 'qed', 'raw', 'vdi', 'vhd', 'vhdx', 'vmdk', 'vpc'
        Get-Completion 'Convert-Qcow2Image x -ReferencePolicy ' | Should -Be 'Confine', 'Follow', 'Forbid'
        Get-Completion 'Convert-Qcow2Image x -DestinationFormat ' | Should -Be 'Parallels', 'Qcow', 'Qcow2', 'Qed', 'Raw', 'Vdi', 'Vhd', 'Vhdx', 'Vmdk'
    }
}
