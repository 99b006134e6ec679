# Disks as they are published: compressed, or in an OVA.

BeforeDiscovery {
    $none = @('gzip', 'xz', 'zstd', 'bzip2', 'tar' | Where-Object { -not (Get-Command $_ -CommandType Application -ErrorAction Ignore) })
    $noPrograms = $none.Count -gt 0
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Push-Location $TestDrive
    $env:TMPDIR, $tmp = (New-Item temporary -ItemType Directory).FullName, $env:TMPDIR
    $data = [byte[]]::new(6MB)
    $noise = [byte[]]::new(1MB)
    [Random]::new(1).NextBytes($noise)
    $noise.CopyTo($data, 1MB)
    [Array]::Fill($data, [byte] 65, 5MB, 4096)
    [IO.File]::WriteAllBytes((Join-Path $TestDrive disk.raw), $data)
    Convert-Qcow2Image disk.raw disk.qcow2
    Checkpoint-Qcow2Image disk.qcow2 before
    Convert-Qcow2Image disk.raw one.vmdk -DestinationType StreamOptimized
    $null = New-Qcow2Image two.vmdk 3MB
    if (Get-Command xz, zstd, bzip2, gzip, tar -CommandType Application -ErrorAction Ignore | Select-Object -Skip 4) {
        foreach ($name in 'disk.raw', 'disk.qcow2') {
            gzip -kf1 $name
            xz -kf0 $name
            zstd -qkf $name
            bzip2 -kf1 $name
        }

        Set-Content box.ovf '<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"><References><File ovf:id="a" ovf:href="one.vmdk"/><File ovf:id="b" ovf:href="two.vmdk"/></References><DiskSection><Disk ovf:diskId="1" ovf:fileRef="a"/><Disk ovf:diskId="2" ovf:fileRef="b"/></DiskSection></Envelope>'
        tar --format=ustar -cf box.ova box.ovf one.vmdk two.vmdk
    }
}

AfterAll {
    $env:TMPDIR = $tmp
    Pop-Location
}

Describe 'A compressed disk' -Skip:$noPrograms {
    It '<_> is converted, raw or not' -ForEach gz, xz, zst, bz2 {
        Convert-Qcow2Image "disk.raw.$_" out.qcow2 -Force
        (Compare-Qcow2Image disk.raw out.qcow2).AreEqual | Should -BeTrue
        Convert-Qcow2Image "disk.qcow2.$_" out.raw -Force
        Get-Sha256 out.raw | Should -Be (Get-Sha256 disk.raw)
        Get-ChildItem temporary -Force | Should -BeNullOrEmpty
    }

    It 'is shown as the disk inside, and what it is packed in' {
        $shown = Get-Qcow2Image disk.qcow2.xz, disk.raw.gz
        $shown.Format | Should -Be qcow2, raw
        $shown.PackedIn | Should -Be xz, gzip
        $shown.DiskName | Should -Be disk.qcow2, disk.raw
        $shown.Size | Should -Be 6MB, 6MB
        $shown[0].FileSize | Should -Be (Get-Item disk.qcow2.xz).Length
        $shown[0].Snapshots.Name | Should -Be before
        $shown[0] | Format-List | Out-String | Should -Match 'PackedIn +: xz'
        Get-Qcow2Image disk.qcow2 | Format-List | Out-String | Should -Not -Match 'PackedIn'
    }

    It 'is read by every cmdlet that reads' {
        [byte[]] $read = Read-Qcow2Image disk.qcow2.zst -Offset 5MB -Count 2
        $read | Should -Be 65, 65
        [byte[]] $read = Read-Qcow2Image disk.raw.bz2 -Offset 5MB -Count 2
        $read | Should -Be 65, 65
        Test-Qcow2Image disk.qcow2.gz -Quiet | Should -BeTrue
        (Compare-Qcow2Image disk.raw.gz disk.qcow2.xz).AreEqual | Should -BeTrue
        (Measure-Qcow2Image disk.raw.xz).RequiredBytes | Should -BeLessThan 3MB
        (Get-Qcow2Extent disk.qcow2.xz | Measure-Object Length -Sum).Sum | Should -Be 6MB
        { Get-Qcow2Partition disk.raw.zst } | Should -Not -Throw
        Convert-Qcow2Image disk.qcow2.xz snapshot.raw -SnapshotName before
        Get-Sha256 snapshot.raw | Should -Be (Get-Sha256 disk.raw)
        (Show-Qcow2Image disk.qcow2.zst -Ascii -Width 60).Size | Should -Be 6MB
        Convert-Qcow2Image disk.raw.xz, disk.raw.gz joined.raw -Concatenate
        (Get-Item joined.raw).Length | Should -Be 12MB
        Get-ChildItem temporary -Force | Should -BeNullOrEmpty
    }

    It 'is served over NBD, and gone with the server' {
        $server = Start-Qcow2NbdServer disk.qcow2.xz -Port 0
        $server.Size | Should -Be 6MB
        Stop-Qcow2NbdServer -Name $server.Name
        if ($IsLinux) {
            (Get-ChildItem "/proc/$PID/fd").LinkTarget -match 'temporary.*deleted' | Should -BeNullOrEmpty
        }
    }

    It 'is not written' {
        { Optimize-Qcow2Image disk.qcow2.xz -ErrorAction Stop } | Should -Throw -ErrorId 'NotQcow2,*' -ExpectedMessage '*compressed with xz*'
    }

    It 'comes down the pipeline' {
        Get-Qcow2Image disk.raw.xz | Convert-Qcow2Image -DestinationPath piped.qcow2
        (Compare-Qcow2Image disk.raw piped.qcow2).AreEqual | Should -BeTrue
        Get-ChildItem disk.qcow2.gz | Get-Qcow2Image | ForEach-Object Format | Should -Be qcow2
    }

    It '<Name> that is cut off is an error, and leaves nothing' -ForEach @(
        @{ Name = 'disk.raw.gz' }, @{ Name = 'disk.raw.xz' }, @{ Name = 'disk.raw.zst' }, @{ Name = 'disk.raw.bz2' }, @{ Name = 'disk.qcow2.gz' }, @{ Name = 'disk.qcow2.xz' }
    ) {
        $null = New-Item cut -ItemType Directory -Force
        $bytes = [IO.File]::ReadAllBytes((Join-Path $TestDrive $Name))
        [IO.File]::WriteAllBytes((Join-Path $TestDrive "cut/$Name"), $bytes[0..($bytes.Length - 5)])
        { Convert-Qcow2Image "cut/$Name" cut/out.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'PackedFileCorrupt,*' -ExpectedMessage '*Get the file again*'
        { Convert-Qcow2Image "cut/$Name" cut/out.qcow2 -Salvage -ErrorAction Stop } | Should -Throw -ErrorId 'PackedFileCorrupt,*'
        Test-Qcow2Image "cut/$Name" -Quiet -SourceFormat Qcow2 | Should -BeFalse
        Get-ChildItem cut -Force | ForEach-Object Name | Should -Be $Name
        Remove-Item cut -Recurse
        Get-ChildItem temporary -Force | Should -BeNullOrEmpty
    }

    It 'may not become more than is allowed' {
        foreach ($name in 'disk.raw.xz', 'disk.raw.gz', 'disk.qcow2.bz2') {
            { Convert-Qcow2Image $name bomb.raw -MaximumUnpackedSize 1MB -ErrorAction Stop } | Should -Throw -ErrorId 'UnpackedTooLarge,*' -ExpectedMessage '*-MaximumUnpackedSize*'
        }

        Test-Path bomb.raw | Should -BeFalse
        Get-ChildItem temporary -Force | Should -BeNullOrEmpty
    }

    It 'is one by its name, too' {
        Copy-Item disk.raw.gz guest.raw
        { Convert-Qcow2Image guest.raw x.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'FormatAmbiguous,*'
        Convert-Qcow2Image guest.raw asraw.raw -SourceFormat Raw
        Get-Sha256 asraw.raw | Should -Be (Get-Sha256 guest.raw)
        Copy-Item disk.raw.gz packed
        { Get-Qcow2Image packed -ErrorAction Stop } | Should -Throw -ErrorId 'NotQcow2,*' -ExpectedMessage '*gzip*'
    }

    It 'is not unpacked twice' {
        gzip -c disk.raw.xz > nested.raw.xz.gz
        { Convert-Qcow2Image nested.raw.xz.gz x.qcow2 -ErrorAction Stop } | Should -Throw -ExpectedMessage '*compressed with xz*'
    }

    It 'names no file of this machine' {
        $null = New-Qcow2Image overlay.qcow2 -BackingFile disk.qcow2 -BackingFormat qcow2
        xz -kf0 overlay.qcow2
        (Get-Qcow2Image overlay.qcow2.xz).BackingFile | Should -Be disk.qcow2
        { Convert-Qcow2Image overlay.qcow2.xz x.raw -ErrorAction Stop } | Should -Throw -ErrorId 'ReferenceForbidden,*'
    }

    It 'is not deleted' {
        { Convert-Qcow2Image disk.raw.xz x.raw -DeleteSource -ErrorAction Stop } | Should -Throw -ErrorId 'OperationNotSupported,*'
        Test-Path disk.raw.xz, x.raw | Should -Be $true, $false
    }

    It 'is not unpacked for -WhatIf' {
        Convert-Qcow2Image disk.qcow2.xz x.raw -WhatIf
        Test-Path x.raw | Should -BeFalse
    }
}

Describe 'An OVA' -Skip:$noPrograms {
    It 'shows each of its disks' {
        $disks = Get-Qcow2Image box.ova
        $disks.DiskName | Should -Be one.vmdk, two.vmdk
        $disks.Size | Should -Be 6MB, 3MB
        $disks.PackedIn | Should -Be ova, ova
        $disks.Subformat[0] | Should -Be streamOptimized
        (Get-Qcow2Image box.ova -DiskName TWO.vmdk).Size | Should -Be 3MB
    }

    It 'is converted by the name of a disk, or its object' {
        { Convert-Qcow2Image box.ova x.raw -ErrorAction Stop } | Should -Throw -ErrorId 'DiskNotSpecified,*' -ExpectedMessage "*'one.vmdk', 'two.vmdk'*-DiskName*"
        Convert-Qcow2Image box.ova one.raw -DiskName one.vmdk
        Get-Sha256 one.raw | Should -Be (Get-Sha256 disk.raw)
        Get-Qcow2Image box.ova | Convert-Qcow2Image -DestinationPath { "from-$($_.DiskName -replace 'vmdk', 'raw')" }
        Get-Sha256 from-one.raw | Should -Be (Get-Sha256 disk.raw)
        (Get-Item from-two.raw).Length | Should -Be 3MB
        Get-Qcow2Image box.ova | Export-Clixml box.xml
        Import-Clixml box.xml | Select-Object -First 1 | Read-Qcow2Image -Offset 5MB -Count 1 | Should -Be 65
        (Compare-Qcow2Image box.ova disk.raw -DiskName one.vmdk).AreEqual | Should -BeTrue
        Get-ChildItem temporary -Force | Should -BeNullOrEmpty
    }

    It 'completes the names of its disks' {
        $line = 'Convert-Qcow2Image box.ova -DiskName '
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be one.vmdk, two.vmdk
    }
}

Describe 'The manifest of an OVA' -Skip:($noPrograms -or -not (Get-Command openssl, sha256sum -CommandType Application -ErrorAction Ignore | Select-Object -Skip 1)) {
    BeforeAll {
        # Of one disk by OpenSSL in its own words, of the other by coreutils; the archive is one of pax.
        $sum = (sha256sum two.vmdk).Split(' ')[0]
        Set-Content box.mf (openssl dgst -sha512 box.ovf one.vmdk), "SHA256(two.vmdk)= $sum"
        tar --format=posix -cf right.ova box.ovf box.mf one.vmdk two.vmdk
        Set-Content box.mf (openssl dgst -sha512 box.ovf one.vmdk), "SHA256(two.vmdk)= $($sum.Substring(1))$($sum[0])"
        tar --format=ustar -cf wrong.ova box.ovf one.vmdk two.vmdk box.mf
    }

    It 'has the sums of its disks' {
        $said = Get-Qcow2Image right.ova | Convert-Qcow2Image -DestinationPath { "said-$($_.DiskName).raw" } -Verbose 4>&1
        $said -match "'one.vmdk' has the sum.*sha512:" | Should -HaveCount 1
        $said -match "'two.vmdk' has the sum.*sha256:$sum" | Should -HaveCount 1
        Get-Sha256 said-one.vmdk.raw | Should -Be (Get-Sha256 disk.raw)
        (Get-Qcow2Image right.ova | Test-Qcow2Image).Findings.Kind | Should -Be ManifestMatches, ManifestMatches
    }

    It 'keeps a disk with another sum from being converted' {
        Convert-Qcow2Image wrong.ova wrong-one.raw -DiskName one.vmdk
        { Convert-Qcow2Image wrong.ova wrong-two.raw -DiskName two.vmdk -ErrorAction Stop } | Should -Throw -ErrorId 'ManifestMismatch,*' -ExpectedMessage "*wrong.ova*'two.vmdk'*$sum*get the archive again*-Salvage*"
        Test-Path wrong-one.raw, wrong-two.raw | Should -Be $true, $false
        (Get-Qcow2Image wrong.ova | Test-Qcow2Image).IsHealthy | Should -Be $true, $false
        Convert-Qcow2Image wrong.ova wrong-two.raw -DiskName two.vmdk -Salvage -WarningVariable warned -WarningAction SilentlyContinue
        $warned | Should -HaveCount 1
        (Get-Item wrong-two.raw).Length | Should -Be 3MB
    }
}
