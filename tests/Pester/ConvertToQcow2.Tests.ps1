BeforeDiscovery {
    $script:noQemu = -not (Get-Command qemu-img -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture v3.qcow2, zstd.qcow2, deflate.qcow2, extl2.qcow2, luks.qcow2, snapshots.qcow2, chain-top.qcow2, chain-middle.qcow2, chain-base.qcow2 $TestDrive
    Push-Location $TestDrive

    # The disk of an image, as a hash.
    function Get-DiskHash($Path, [hashtable] $Parameters = @{}) {
        Convert-Qcow2Image $Path disk.raw -Force @Parameters
        Get-Sha256 disk.raw
    }
}

AfterAll {
    Pop-Location
}

Describe 'Convert-Qcow2Image into qcow2' {
    It 'writes the disk of <_>' -ForEach 'v3', 'zstd', 'deflate', 'extl2', 'chain-top' {
        Convert-Qcow2Image "$_.qcow2" "$_-copy.qcow2" | Should -BeNullOrEmpty
        Get-DiskHash "$_-copy.qcow2" | Should -Be (Get-ExpectedHash $_)
        Test-Qcow2Image "$_-copy.qcow2" -Quiet | Should -BeTrue
    }

    It 'writes what qemu-img finds clean and equal: <Name>' -Skip:$noQemu -ForEach @(
        @{ Name = 'compressed'; Layout = @{ Compress = $true } }
        @{ Name = 'zstd'; Layout = @{ Compress = $true; CompressionType = 'Zstd'; ClusterSizeBytes = '128K' } }
        @{ Name = 'subclusters'; Layout = @{ ExtendedL2 = $true } }
        @{ Name = 'version 2'; Layout = @{ Version = 2 } }
        @{ Name = 'preallocated'; Layout = @{ Preallocation = 'Full' } }
        @{ Name = 'data file'; Layout = @{ DestinationDataFile = 'judged.data' } }
    ) {
        Convert-Qcow2Image deflate.qcow2 judged.qcow2 -Force @Layout
        qemu-img check -q judged.qcow2
        $LASTEXITCODE | Should -Be 0
        qemu-img compare -q deflate.qcow2 judged.qcow2
        $LASTEXITCODE | Should -Be 0
    }

    It 'is smaller when it is compressed, and has the same disk' {
        Convert-Qcow2Image v3.qcow2 plain.qcow2
        Convert-Qcow2Image v3.qcow2 small.qcow2 -Compress
        (Get-Item small.qcow2).Length | Should -BeLessThan (Get-Item plain.qcow2).Length
        Get-Qcow2Extent small.qcow2 | Where-Object IsCompressed | Should -Not -BeNullOrEmpty
        Get-DiskHash small.qcow2 | Should -Be (Get-ExpectedHash v3)
    }

    It 'makes the same bytes with any number of threads' {
        1, 2, 8 | ForEach-Object { Convert-Qcow2Image deflate.qcow2 "threads$_.qcow2" -Compress -CompressionType Zstd -ThrottleLimit $_ }
        1, 2, 8 | ForEach-Object { Get-Sha256 "threads$_.qcow2" } | Sort-Object -Unique | Should -HaveCount 1
    }

    It 'encrypts' {
        $secret = New-Object securestring
        'correct horse'.ToCharArray() | ForEach-Object { $secret.AppendChar($_) }
        (Convert-Qcow2Image v3.qcow2 vault.qcow2 -Encryption Luks -DestinationPassphrase $secret -PassThru).EncryptionMethod | Should -Be Luks
        Get-DiskHash vault.qcow2 @{ Passphrase = $secret } | Should -Be (Get-ExpectedHash v3)
    }

    It 'writes only what differs from a backing file' {
        Convert-Qcow2Image chain-top.qcow2 thin.qcow2 -BackingFile chain-middle.qcow2 -BackingFormat qcow2
        Get-DiskHash thin.qcow2 | Should -Be (Get-ExpectedHash chain-top)
        Convert-Qcow2Image chain-middle.qcow2 nothing.qcow2 -BackingFile chain-middle.qcow2 -BackingFormat qcow2
        Get-Qcow2Extent nothing.qcow2 | Where-Object { $_.Depth -eq 0 -and $_.Kind -eq 'Data' } | Should -BeNullOrEmpty
    }

    It 'writes into an image that exists, and keeps what lies past the source' {
        $image = New-Qcow2Image there.qcow2 2MB
        Convert-Qcow2Image v3.qcow2 there.qcow2 -NoCreate -TargetIsZero
        (Get-Qcow2Image there.qcow2).Size | Should -Be $image.Size
        Read-Qcow2Image there.qcow2 -Offset 0 -Count 1MB -OutputFile start.raw
        Get-Sha256 start.raw | Should -Be (Get-ExpectedHash v3)
    }

    It 'takes raw disks by their names, and any with -SourceFormat' {
        Convert-Qcow2Image v3.qcow2 guest.img
        Convert-Qcow2Image guest.img from-img.qcow2
        Get-DiskHash from-img.qcow2 | Should -Be (Get-ExpectedHash v3)
        Move-Item guest.img guest.something
        { Convert-Qcow2Image guest.something x.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'NotQcow2,*' -ExpectedMessage '*-SourceFormat Raw*'
        Convert-Qcow2Image guest.something from-any.qcow2 -SourceFormat Raw
        Get-Sha256 from-any.qcow2 | Should -Be (Get-Sha256 from-img.qcow2)
    }

    It 'refuses a download that is no disk, and says what it is' {
        [IO.File]::WriteAllText("$PWD/page.img", '<!DOCTYPE html><title>404 Not Found</title>')
        { Convert-Qcow2Image page.img x.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'FormatAmbiguous,*' -ExpectedMessage '*web page*-SourceFormat Raw*'
        'x.qcow2' | Should -Not -Exist
    }

    It 'joins disks' -Skip:$noQemu {
        Convert-Qcow2Image v3.qcow2, zstd.qcow2 joined.raw -Concatenate
        qemu-img convert -O raw v3.qcow2 zstd.qcow2 joined-by-qemu.raw
        Get-Sha256 joined.raw | Should -Be (Get-Sha256 joined-by-qemu.raw)
    }

    It 'deletes the source only where nothing is lost' {
        { Convert-Qcow2Image snapshots.qcow2 x.qcow2 -DeleteSource -ErrorAction Stop } | Should -Throw -ErrorId 'OperationNotSupported,*'
        'snapshots.qcow2' | Should -Exist
        Copy-Item v3.qcow2 gone.qcow2
        Convert-Qcow2Image gone.qcow2 moved.qcow2 -DeleteSource -WhatIf
        'gone.qcow2' | Should -Exist
        Convert-Qcow2Image gone.qcow2 moved.qcow2 -DeleteSource
        'gone.qcow2' | Should -Not -Exist
        Get-DiskHash moved.qcow2 | Should -Be (Get-ExpectedHash v3)
    }

    It 'refuses a layout for a raw disk, and contradictions' {
        { Convert-Qcow2Image v3.qcow2 x.raw -ExtendedL2 -ErrorAction Stop } | Should -Throw -ErrorId 'OptionsContradict,*'
        { Convert-Qcow2Image v3.qcow2 x.qcow2 -NoCreate -Force } | Should -Throw -ErrorId 'ParameterConflict,*'
        'x.raw', 'x.qcow2' | Should -Not -Exist
    }

    It 'exports snapshots, too' {
        Export-Qcow2Snapshot snapshots.qcow2 -SnapshotName (Get-Qcow2Snapshot snapshots.qcow2)[0].Id -DestinationPath first.qcow2 -Compress
        Test-Qcow2Image first.qcow2 -Quiet | Should -BeTrue
        (Get-Qcow2Image first.qcow2).Snapshots | Should -BeNullOrEmpty
    }
}
