BeforeDiscovery {
    $no7z = -not (Get-Command 7zz -ErrorAction Ignore)
    $noQemu = -not ((Get-Command qemu-img -ErrorAction Ignore) -and (Get-Command qemu-io -ErrorAction Ignore))
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Push-Location $TestDrive
    $data = [byte[]]::new(10MB)
    [Array]::Fill($data, [byte]65, 0, 4096)
    [Array]::Fill($data, [byte]66, 5 * 64KB, 4096)
    [IO.File]::WriteAllBytes((Join-Path $TestDrive tail.raw), $data)
}

AfterAll {
    Pop-Location
}

Describe 'What is written suits every reader' {
    It '<Name> leaves whole clusters' -ForEach @(
        @{ Name = 'Convert-'; Work = { Convert-Qcow2Image tail.raw f.qcow2 -Force } }
        @{ Name = 'Convert- -Compress'; Work = { Convert-Qcow2Image tail.raw f.qcow2 -Compress -Force } }
        @{ Name = 'Convert- of large clusters'; Work = { Convert-Qcow2Image tail.raw f.qcow2 -ClusterSizeBytes 2MB -Force } }
        @{ Name = 'Convert- -NoCreate'; Work = { $null = New-Qcow2Image f.qcow2 10MB -Force; Convert-Qcow2Image tail.raw f.qcow2 -NoCreate } }
        @{ Name = 'Write-'; Work = { $null = New-Qcow2Image f.qcow2 10MB -Force; Write-Qcow2Image f.qcow2 -Offset 9MB -Value ([byte[]](1..255)) } }
        @{ Name = 'Resize-'; Work = { $null = New-Qcow2Image f.qcow2 10MB -Force; Resize-Qcow2Image f.qcow2 1TB } }
        @{ Name = 'Export-'; Work = {
                $null = New-Qcow2Image inner.qcow2 10MB -Force
                Write-Qcow2Image inner.qcow2 -Offset 9MB -Value ([byte[]](1..255))
                Checkpoint-Qcow2Image inner.qcow2 a
                Export-Qcow2Snapshot inner.qcow2 -SnapshotName a -DestinationPath f.qcow2 -Force
            } }
        @{ Name = 'Optimize-'; Work = { Convert-Qcow2Image tail.raw f.qcow2 -Force; Optimize-Qcow2Image f.qcow2 -Compress } }
    ) {
        & $Work
        (Get-Item f.qcow2).Length % (Get-Qcow2Image f.qcow2).ClusterSize | Should -Be 0
        Test-Qcow2Image f.qcow2 -Quiet | Should -BeTrue
    }

    It '7-Zip extracts it' -Skip:$no7z {
        Convert-Qcow2Image tail.raw seven.qcow2
        7zz x -y -tqcow -oseven seven.qcow2 | Out-Null
        $LASTEXITCODE | Should -Be 0
        Get-Sha256 (Get-ChildItem seven).FullName | Should -Be (Get-Sha256 tail.raw)
    }
}

Describe 'A raw data file that was lengthened' {
    It 'shows what it holds when the disk grows' {
        $null = New-Qcow2Image grow.qcow2 1MB -DataFile grow.data -DataFileRaw
        $held = [byte[]]::new(2MB)
        [Array]::Fill($held, [byte]84)
        [IO.File]::WriteAllBytes((Join-Path $TestDrive grow.data), $held)
        Resize-Qcow2Image grow.qcow2 3MB
        (Read-Qcow2Image grow.qcow2 -Offset 1MB -Count 16) | Should -Be (, 84 * 16)
        (Read-Qcow2Image grow.qcow2 -Offset 2MB -Count 16) | Should -Be (, 0 * 16)
        (Get-Item grow.data).Length | Should -Be 3MB
    }
}

Describe 'A disk whose size was rounded up' {
    It 'has its last bytes for QEMU, too' -Skip:$noQemu {
        $null = New-Qcow2Image odd.qcow2 10000001B
        Write-Qcow2Image odd.qcow2 -Offset 10000000 -Value ([byte[]]90)
        qemu-io -r -f qcow2 -c 'read -P 90 10000000 1' odd.qcow2 | Out-Null
        $LASTEXITCODE | Should -Be 0
    }
}
