BeforeDiscovery {
    $script:noQemu = -not (Get-Command qemu-img -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture v3.qcow2, snapshots.qcow2, data-file.qcow2, data-file.raw $TestDrive
    Push-Location $TestDrive

    [IO.File]::WriteAllBytes("$TestDrive/data", [byte[]](, 7 * 512KB))
    [IO.File]::WriteAllBytes("$TestDrive/zeros", [byte[]]::new(4MB))

    # An image that holds 4 MiB more than it needs.
    function New-WastefulImage($Path) {
        $null = New-Qcow2Image $Path 16MB
        Write-Qcow2Image $Path -Offset 4MB -InputFile data
        Write-Qcow2Image $Path -Offset 0 -InputFile zeros
    }
}

AfterAll {
    Pop-Location
}

Describe 'Optimize-Qcow2Image' {
    It 'gives back what reads as zeros, and keeps the disk' {
        New-WastefulImage zeros.qcow2
        Convert-Qcow2Image zeros.qcow2 before.raw
        $result = Optimize-Qcow2Image zeros.qcow2 -PassThru
        $result | Should -BeOfType Qcow2.Engine.Qcow2OptimizeResult
        $result.IsReplaced | Should -BeTrue
        $result.SavedBytes | Should -BeGreaterOrEqual 4MB
        $result.AllocatedSizeBefore - $result.AllocatedSize | Should -Be $result.SavedBytes
        $result.FileSize | Should -Be (Get-Item zeros.qcow2).Length
        Convert-Qcow2Image zeros.qcow2 after.raw
        Get-Sha256 after.raw | Should -Be (Get-Sha256 before.raw)
        Test-Qcow2Image zeros.qcow2 -Quiet | Should -BeTrue
    }

    It 'compresses, and does not get larger again by itself' {
        New-WastefulImage packed.qcow2
        Optimize-Qcow2Image packed.qcow2 -Compress | Should -BeNullOrEmpty
        (Get-Item packed.qcow2).Length | Should -BeLessThan 512KB
        $again = Optimize-Qcow2Image packed.qcow2 -PassThru
        $again.IsReplaced | Should -BeFalse
        $again.SavedBytes | Should -Be 0
        $again.Reason | Should -BeLike '*would not be worth it*'
    }

    It 'keeps snapshots' -Skip:$noQemu {
        $before = Get-Qcow2Snapshot snapshots.qcow2
        $hashes = $before | ForEach-Object {
            Export-Qcow2Snapshot snapshots.qcow2 -SnapshotName $_.Id -DestinationPath snapshot.raw -Force
            Get-Sha256 snapshot.raw
        }
        Optimize-Qcow2Image snapshots.qcow2 -Compress
        $after = Get-Qcow2Snapshot snapshots.qcow2
        $after.Id | Should -Be $before.Id
        $after.Name | Should -Be $before.Name
        $after.CreationTime | Should -Be $before.CreationTime
        $after | ForEach-Object {
            Export-Qcow2Snapshot snapshots.qcow2 -SnapshotName $_.Id -DestinationPath snapshot.raw -Force
            Get-Sha256 snapshot.raw
        } | Should -Be $hashes
        qemu-img check -q snapshots.qcow2
        $LASTEXITCODE | Should -Be 0
    }

    It 'changes nothing with -WhatIf' {
        New-WastefulImage whatif.qcow2
        $before = Get-Sha256 whatif.qcow2
        Optimize-Qcow2Image whatif.qcow2 -Compress -WhatIf
        Get-Sha256 whatif.qcow2 | Should -Be $before
    }

    It 'refuses what would not be kept, and leaves it alone' {
        $before = Get-Sha256 data-file.qcow2
        { Optimize-Qcow2Image data-file.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'OperationNotSupported,*' -ExpectedMessage '*external data file*'
        { Optimize-Qcow2Image v3.qcow2 -Compress -CompressionLevel 10 -ErrorAction Stop } | Should -Throw -ErrorId 'OptionsContradict,*'
        Get-Sha256 data-file.qcow2 | Should -Be $before
    }

    It 'takes files from the pipeline and shows a table' {
        New-WastefulImage one.qcow2
        New-WastefulImage two.qcow2
        $table = Get-ChildItem one.qcow2, two.qcow2 | Optimize-Qcow2Image -PassThru | Out-String
        $table | Should -Match 'Before\s+Now\s+Saved\s+Replaced\s+Name'
        $table | Should -Match '\s4\.\d+ MiB\s+\d+ KiB\s+4(\.\d+)? MiB\s+True\s+one\.qcow2'
        Get-ChildItem -Force -Filter '*.tmp' | Should -BeNullOrEmpty
    }

    It 'says with -Verbose what was gained' {
        New-WastefulImage verbose.qcow2
        Optimize-Qcow2Image verbose.qcow2 -Verbose 4>&1 | Out-String | Should -Match '4\.\d+ MiB before, \d+ KiB now'
    }
}
