BeforeDiscovery {
    $script:noQemu = -not ((Get-Command qemu-img -ErrorAction Ignore) -and (Get-Command qemu-io -ErrorAction Ignore))
    $script:matrix = @(
        @{ Name = 'the defaults'; Option = @{}; Like = @{} }
        @{ Name = 'version 2'; Option = @{ Version = 2 }; Like = @{ compat = '0.10' } }
        @{ Name = 'clusters of 512 bytes'; Option = @{ ClusterSizeBytes = 512 }; Like = @{} }
        @{ Name = 'clusters of 2 MiB'; Option = @{ ClusterSizeBytes = '2M' }; Like = @{} }
        @{ Name = 'refcounts of 1 bit'; Option = @{ RefcountBits = 1 }; Like = @{ 'refcount-bits' = 1 } }
        @{ Name = 'refcounts of 64 bits'; Option = @{ RefcountBits = 64 }; Like = @{ 'refcount-bits' = 64 } }
        @{ Name = 'zstd'; Option = @{ CompressionType = 'Zstd' }; Like = @{ 'compression-type' = 'zstd' } }
        @{ Name = 'lazy refcounts'; Option = @{ LazyRefcounts = $true }; Like = @{ 'lazy-refcounts' = $true } }
        @{ Name = 'extended L2 entries'; Option = @{ ExtendedL2 = $true; ClusterSizeBytes = 128KB }; Like = @{ 'extended-l2' = $true } }
        @{ Name = 'preallocated tables'; Option = @{ Preallocation = 'Metadata' }; Like = @{} }
        @{ Name = 'reserved space'; Option = @{ Preallocation = 'Falloc'; ExtendedL2 = $true }; Like = @{ 'extended-l2' = $true } }
        @{ Name = 'full preallocation'; Option = @{ Preallocation = 'Full'; ClusterSizeBytes = 4KB }; Like = @{} }
        @{ Name = 'a data file'; Option = @{ DataFile = 'matrix.data' }; Like = @{ 'data-file' = 'matrix.data'; 'data-file-raw' = $false } }
        @{ Name = 'a raw data file'; Option = @{ DataFile = 'matrix.data'; DataFileRaw = $true; Preallocation = 'Full' }; Like = @{ 'data-file-raw' = $true } }
    )
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Push-Location $TestDrive
}

AfterAll {
    Pop-Location
}

Describe 'New-Qcow2Image' {
    It 'creates an empty disk and emits it' {
        $image = New-Qcow2Image empty.qcow2 40GB
        $image | Should -BeOfType Qcow2.Engine.Qcow2ImageInfo
        $image.Path | Should -Be (Join-Path $TestDrive empty.qcow2)
        $image.Size | Should -Be 40GB
        (Get-Item empty.qcow2).Length | Should -BeLessThan 1MB
    }

    It 'makes what QEMU calls sound, with <Name>' -ForEach $matrix -Skip:$noQemu {
        $null = New-Qcow2Image matrix.qcow2 20MB @Option -Force
        $check = qemu-img check --output=json matrix.qcow2 | ConvertFrom-Json
        $LASTEXITCODE | Should -Be 0
        $check.leaks | Should -BeNullOrEmpty
        $info = qemu-img info --output=json matrix.qcow2 | ConvertFrom-Json
        $info.format | Should -Be qcow2
        $info.'virtual-size' | Should -Be 20MB
        $info.'cluster-size' | Should -Be (Get-Qcow2Image matrix.qcow2).ClusterSize
        foreach ($key in $Like.Keys) {
            $info.'format-specific'.data.$key | Should -Be $Like[$key]
        }

        Write-Qcow2Image matrix.qcow2 -Offset 1000000 -Value ([byte[]] @(0xab) * 100000)
        $read = qemu-io -f qcow2 -c 'read -P 0 0 1000000' -c 'read -P 0xab 1000000 100000' -c 'read -P 0 1100000 19871520' matrix.qcow2
        $read -match 'failed' | Should -BeNullOrEmpty
        qemu-io -f qcow2 -c 'write -P 0xcd 5M 1M' matrix.qcow2 | Out-Null
        (Read-Qcow2Image matrix.qcow2 -Offset (6MB - 1) -Count 2) | Should -Be 0xcd, 0
        qemu-img check -q matrix.qcow2
        $LASTEXITCODE | Should -Be 0
    }

    It 'makes overlays that QEMU follows' -Skip:$noQemu {
        $null = New-Item -ItemType Directory vm -Force
        $null = New-Qcow2Image base.qcow2 8MB
        Write-Qcow2Image base.qcow2 -Offset 0 -Value 1, 2, 3
        $overlay = New-Qcow2Image vm/top.qcow2 -BackingFile ../base.qcow2 -BackingFormat qcow2
        $overlay.Size | Should -Be 8MB
        $overlay.ParentPath | Should -Be (Join-Path $TestDrive base.qcow2)
        qemu-img compare -q base.qcow2 vm/top.qcow2
        $LASTEXITCODE | Should -Be 0
        (qemu-img info --output=json vm/top.qcow2 | ConvertFrom-Json).'backing-filename-format' | Should -Be qcow2
    }

    It 'makes an image over a raw disk that exists, which QEMU reads and writes' -Skip:$noQemu {
        qemu-img create -q -f raw kept.raw 20M
        $null = qemu-io -f raw -c 'write -P 5 1M 1M' -c 'write -P 6 19M 1M' kept.raw
        $before = (Get-FileHash kept.raw).Hash, (Get-Item kept.raw).LastWriteTimeUtc.Ticks
        $image = New-Qcow2Image kept.qcow2 -DataFile kept.raw -DataFileRaw -KeepDataFile
        $image.Size | Should -Be 20MB
        (Get-FileHash kept.raw).Hash, (Get-Item kept.raw).LastWriteTimeUtc.Ticks | Should -Be $before
        qemu-img check -q kept.qcow2
        $LASTEXITCODE | Should -Be 0
        qemu-img compare -q -f qcow2 -F raw kept.qcow2 kept.raw
        $LASTEXITCODE | Should -Be 0
        $read = qemu-io -f qcow2 -c 'read -P 0 0 1M' -c 'read -P 5 1M 1M' -c 'read -P 6 19M 1M' -c 'write -P 7 3M 1M' kept.qcow2
        $read -match 'failed' | Should -BeNullOrEmpty
        (Read-Qcow2Image kept.raw -Offset (4MB - 1) -Count 2) | Should -Be 7, 0
        { New-Qcow2Image other.qcow2 -DataFile gone.raw -DataFileRaw -KeepDataFile -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*'
        Test-Path gone.raw | Should -BeFalse
    }

    It 'leaves an existing file as it is without -Force' {
        Set-Content exists.qcow2 'precious'
        { New-Qcow2Image exists.qcow2 1MB -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationExists,*' -ExpectedMessage '*-Force*'
        { New-Qcow2Image exists.qcow2 1MB -Force -Version 2 -ExtendedL2 -ErrorAction Stop } | Should -Throw -ErrorId 'OptionsContradict,*'
        Get-Content exists.qcow2 | Should -Be 'precious'
        (New-Qcow2Image exists.qcow2 1MB -Force).Size | Should -Be 1MB
    }

    It 'makes nothing with -WhatIf' {
        New-Qcow2Image whatif.qcow2 1MB -WhatIf | Should -BeNullOrEmpty
        'whatif.qcow2' | Should -Not -Exist
    }

    It 'makes an image for each row of a table' {
        'Path,Size', 'row1.qcow2,1MB', 'row2.qcow2,2G' | ConvertFrom-Csv | New-Qcow2Image | ForEach-Object Size | Should -Be 1MB, 2GB
    }

    It 'stops within a second and leaves nothing behind' {
        $pipeline = [powershell]::Create()
        $null = $pipeline.AddScript('param($Manifest, $Folder) Import-Module $Manifest; New-Qcow2Image "$Folder/full.qcow2" 100GB -Preallocation Full')
        $null = $pipeline.AddArgument((Get-TestedModulePath)).AddArgument("$TestDrive").BeginInvoke()
        # Where the file has no name before it is complete, progress alone says that it is being written.
        $deadline = (Get-Date).AddSeconds(20)
        while (-not $pipeline.Streams.Progress.Count -and (Get-Date) -lt $deadline) {
            Start-Sleep -Milliseconds 20
        }

        $pipeline.Streams.Progress.Count | Should -BeGreaterThan 0
        (Measure-Command { $pipeline.Stop() }).TotalSeconds | Should -BeLessThan 1.5
        $pipeline.Dispose()
        $deadline = (Get-Date).AddSeconds(5)
        while ((Get-ChildItem $TestDrive -Force -Filter '*full.qcow2*') -and (Get-Date) -lt $deadline) {
            Start-Sleep -Milliseconds 50
        }

        Get-ChildItem $TestDrive -Force -Filter '*full.qcow2*' | Should -BeNullOrEmpty
    }

    It 'encrypts what QEMU decrypts' {
        $passphrase = ConvertTo-SecureString 'correct horse' -AsPlainText -Force
        $image = New-Qcow2Image vault.qcow2 10MB -Encryption Luks -Passphrase $passphrase
        $image.EncryptionMethod | Should -Be Luks
        $image.Luks.CipherAlgorithm | Should -Be aes-256
        $image.Luks.Slots[0].Iterations | Should -BeGreaterThan 10000
        Write-Qcow2Image vault.qcow2 -Offset 1MB -Value ([byte[]] @(0xab) * 1000) -Passphrase $passphrase
        (Read-Qcow2Image vault.qcow2 -Offset 1MB -Count 2 -Passphrase $passphrase) | Should -Be 0xab, 0xab
        { Read-Qcow2Image vault.qcow2 -Offset 1MB -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'PassphraseRequired,*'
        if (Get-Command qemu-io -ErrorAction Ignore) {
            $secret = '--object', 'secret,id=s,data=correct horse', '--image-opts', 'driver=qcow2,file.filename=vault.qcow2,encrypt.key-secret=s'
            $read = qemu-io @secret -c 'read -P 0 0 1M' -c 'read -P 0xab 1M 1000' -c 'read -P 0 2M 8M'
            $LASTEXITCODE | Should -Be 0
            $read -match 'failed' | Should -BeNullOrEmpty
            qemu-img check -q @secret
            $LASTEXITCODE | Should -Be 0
        }
    }

    It 'refuses to make what is not secure, and says what to do' {
        $passphrase = ConvertTo-SecureString 'x' -AsPlainText -Force
        { New-Qcow2Image no.qcow2 1MB -Encryption Aes -Passphrase $passphrase -ErrorAction Stop } |
            Should -Throw -ErrorId 'OptionsContradict,*' -ExpectedMessage '*Use LUKS*'
        { New-Qcow2Image no.qcow2 1MB -Encryption Luks -ErrorAction Stop } | Should -Throw -ErrorId 'OptionsContradict,*' -ExpectedMessage '*passphrase*'
        { New-Qcow2Image no.qcow2 1MB -Encryption Luks -Passphrase ([securestring]::new()) -ErrorAction Stop } | Should -Throw -ErrorId 'OptionsContradict,*'
        Get-ChildItem no.qcow2* | Should -BeNullOrEmpty
    }
}
