BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    foreach ($name in 'gpt', 'gpt-4k', 'gpt-grown', 'mbr', 'ext4', 'ext4-hostile-label', 'fat32', 'luks2') {
        New-VolumeFixture $name (Join-Path $TestDrive "$name.raw")
    }

    Push-Location $TestDrive
    Convert-Qcow2Image gpt.raw web01.qcow2
}

AfterAll {
    Pop-Location
}

Describe 'Get-Qcow2Partition' {
    It 'has the numbers, places and names that sfdisk has' {
        $table = (Get-Content (Join-Path $PSScriptRoot ../Fixtures/volumes/gpt.json) -Raw | ConvertFrom-Json).partitiontable
        $partitions = Get-Qcow2Partition web01.qcow2
        $partitions | Should -BeOfType Qcow2.Engine.Qcow2Partition
        $partitions.PartitionNumber | Should -Be ($table.partitions.node -replace '\D')
        $partitions.Offset | Should -Be $table.partitions.start.ForEach({ $_ * 512 })
        $partitions.Size | Should -Be $table.partitions.size.ForEach({ $_ * 512 })
        $partitions.GptType | Should -Be $table.partitions.type.ForEach({ "{$_}" })
        $partitions.Guid | Should -Be $table.partitions.uuid.ForEach({ "{$_}" })
        ($partitions | Where-Object Type -eq 'EFI System').Label | Should -Be 'EFI System Partition'
    }

    It 'counts logical partitions as Linux does' {
        (Get-Qcow2Partition mbr.raw).PartitionNumber | Should -Be 1, 2, 4, 5, 6, 7
        (Get-Qcow2Partition mbr.raw | Where-Object IsActive).MbrType | Should -Be 7
    }

    It 'knows sectors of 4096 bytes' {
        (Get-Qcow2Partition gpt-4k.raw).SectorSize | Sort-Object -Unique | Should -Be 4096
        (Get-Qcow2Partition mbr.raw -LogicalSectorSizeBytes 4096)[0].Offset | Should -Be (2048 * 4096)
    }

    It 'finds a file system without a table' {
        $found = Get-Qcow2Partition ext4.raw, fat32.raw, luks2.raw
        $found.FileSystem | Should -Be ext4, FAT32, crypto_LUKS
        $found.FileSystemLabel | Should -Be root, 'EFI SYSTEM', vault
        $found[0].FileSystemUuid | Should -Be '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'
        $found[0].FileSystemSize | Should -Be 16MB
        $found | Where-Object { $null -ne $_.PartitionNumber } | Should -BeNullOrEmpty
    }

    It 'leads to the bytes of a partition' {
        Write-Qcow2Image web01.qcow2 -Offset 10MB -Value 7, 8, 9
        $root = Get-Qcow2Partition web01.qcow2 | Where-Object Label -like 'rööt*'
        Read-Qcow2Image web01.qcow2 -Offset $root.Offset -Count $root.Size -OutputFile root.img
        (Get-Item root.img).Length | Should -Be 6MB
        [byte[]] $first = Read-Qcow2Image root.img -Count 3
        $first | Should -Be 7, 8, 9
    }

    It 'survives a job, CLIXML and JSON' {
        $live = Get-Qcow2Partition web01.qcow2
        $live | Export-Clixml partitions.xml
        $back = Import-Clixml partitions.xml
        $back.Guid | Should -Be $live.Guid
        $back[0].PartitionStyle | Should -Be Gpt
        $back | Out-String | Should -Be ($live | Out-String)
        ($back[0] | Get-Qcow2Partition).Guid | Should -Be $live.Guid
        ($live | ConvertTo-Json | ConvertFrom-Json).Offset | Should -Be $live.Offset
    }

    It 'lets no control character of a label onto the screen' {
        (Get-Qcow2Partition ext4-hostile-label.raw).FileSystemLabel | Should -Match ([char] 27)
        Get-Qcow2Partition ext4-hostile-label.raw | Out-String | Should -Not -Match ([char] 27 + '\[31mb')
    }

    It 'warns of a GPT whose disk grew' {
        Get-Qcow2Partition gpt-grown.raw -WarningVariable warnings -WarningAction SilentlyContinue > $null
        $warnings | Should -HaveCount 1
        "$warnings" | Should -BeLike '*sgdisk -e*'
    }

    It 'can be mocked by a runbook of its own' {
        Mock Get-Qcow2Partition { [Qcow2.Engine.Qcow2Partition] @{ PartitionNumber = 1; FileSystem = 'NTFS' } }
        (Get-Qcow2Partition any.qcow2).FileSystem | Should -Be NTFS
    }
}

Describe 'A disk that gets another size' {
    It 'is warned of before anything is done' {
        Resize-Qcow2Image web01.qcow2 8MB -AllowShrink -WhatIf -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeLike '*Partitions 2, 3, 5, 9 end past the new end*'
        (Get-Qcow2Image web01.qcow2).Size | Should -Be 32MB
    }

    It 'can be made whole again with what the warning says' {
        Copy-Item web01.qcow2 grown.qcow2
        Resize-Qcow2Image grown.qcow2 +8MB -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeLike '*sgdisk -e*'
        Resize-Qcow2Image grown.qcow2 -8MB -AllowShrink -Confirm:$false -WarningVariable warnings -WarningAction SilentlyContinue
        $warnings | Should -BeNullOrEmpty
    }
}
