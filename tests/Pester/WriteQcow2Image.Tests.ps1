BeforeDiscovery {
    $script:noQemu = -not ((Get-Command qemu-img -ErrorAction Ignore) -and (Get-Command qemu-io -ErrorAction Ignore))
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture v3.qcow2, luks.qcow2, snapshots.qcow2 $TestDrive
    Push-Location $TestDrive
}

AfterAll {
    Pop-Location
}

Describe 'Write-Qcow2Image and Read-Qcow2Image' {
    BeforeEach {
        $null = New-Qcow2Image disk.qcow2 10MB -Force
    }

    It 'write and read bytes' {
        Write-Qcow2Image disk.qcow2 -Offset 64KB -Value 1, 2, 3 | Should -BeNullOrEmpty
        $bytes = Read-Qcow2Image disk.qcow2 -Offset (64KB - 1) -Count 5
        , $bytes | Should -BeOfType byte[]
        $bytes | Should -Be 0, 1, 2, 3, 0
    }

    It 'write and read files' {
        [IO.File]::WriteAllBytes("$TestDrive/in.bin", [byte[]] (1..255 * 9999))
        Write-Qcow2Image disk.qcow2 -Offset 1MB -InputFile in.bin
        Read-Qcow2Image disk.qcow2 -Offset 1MB -Count (Get-Item in.bin).Length -OutputFile out.bin | Should -BeNullOrEmpty
        Get-Sha256 out.bin | Should -Be (Get-Sha256 in.bin)
        { Read-Qcow2Image disk.qcow2 -OutputFile out.bin -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationExists,*'
    }

    It 'read what a conversion writes' {
        Read-Qcow2Image v3.qcow2 -OutputFile v3.raw
        Get-Sha256 v3.raw | Should -Be (Get-ExpectedHash v3)
    }

    It 'write what QEMU reads' -Skip:$noQemu {
        Write-Qcow2Image disk.qcow2 -Offset 1MB -Value ([byte[]] @(0x5a) * 300000)
        Write-Qcow2Image disk.qcow2 -Offset 1100000 -Zero -Count 1000
        $read = qemu-io -f qcow2 -c 'read -P 0x5a 1M 51424' -c 'read -P 0 1100000 1000' -c 'read -P 0x5a 1101000 1000' disk.qcow2
        $read -match 'failed' | Should -BeNullOrEmpty
        Write-Qcow2Image disk.qcow2 -Offset 0 -Discard -Count 10MB -PassThru | ForEach-Object AllocatedSize | Should -BeLessThan 1MB
        qemu-img check -q disk.qcow2
        $LASTEXITCODE | Should -Be 0
    }

    It 'decrypt and encrypt' {
        $passphrase = ConvertTo-SecureString correct-horse -AsPlainText -Force
        Write-Qcow2Image luks.qcow2 -Offset 7 -Value 1, 2 -Passphrase $passphrase
        (Read-Qcow2Image luks.qcow2 -Offset 7 -Count 2 -Passphrase $passphrase) | Should -Be 1, 2
        { Read-Qcow2Image luks.qcow2 -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'PassphraseRequired,*'
    }

    It 'refuse ranges outside the disk, and write nothing' {
        $before = Get-Sha256 disk.qcow2
        { Write-Qcow2Image disk.qcow2 -Offset (10MB - 1) -Value 1, 2 -ErrorAction Stop } | Should -Throw -ErrorId 'RangeOutsideDisk,*'
        { Read-Qcow2Image disk.qcow2 -Offset 11MB -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'RangeOutsideDisk,*'
        Get-Sha256 disk.qcow2 | Should -Be $before
    }

    It 'refuse a disk that another program writes' -Skip:(-not $IsLinux) {
        $options = [Qcow2.Engine.Qcow2OpenOptions]::new()
        $options.GetType().GetProperty('Writable').SetValue($options, $true)
        $user = [Qcow2.Engine.Qcow2Image]::Open("$TestDrive/disk.qcow2", $options)
        try {
            { Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1 -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
            { Resize-Qcow2Image disk.qcow2 20MB -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
        }
        finally {
            $user.Dispose()
        }
    }

    It 'leave every byte as it was with -WhatIf' {
        $before = Get-Sha256 disk.qcow2
        Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1 -WhatIf
        Write-Qcow2Image disk.qcow2 -Offset 0 -Zero -Count 10MB -WhatIf
        Read-Qcow2Image disk.qcow2 -OutputFile whatif.raw -WhatIf
        'whatif.raw' | Should -Not -Exist
        Get-Sha256 disk.qcow2 | Should -Be $before
    }
}

Describe 'Resize-Qcow2Image' {
    BeforeEach {
        $null = New-Qcow2Image size.qcow2 10MB -Force
        Write-Qcow2Image size.qcow2 -Offset 0 -Value ([byte[]] @(0x11) * 10MB)
    }

    It 'makes a disk larger' -Skip:$noQemu {
        Resize-Qcow2Image size.qcow2 1TB -PassThru | ForEach-Object Size | Should -Be 1TB
        qemu-io -f qcow2 -c 'read -P 0x11 0 10M' -c 'read -P 0 10M 10M' size.qcow2 | Where-Object { $_ -match 'failed' } | Should -BeNullOrEmpty
        (qemu-img info --output=json size.qcow2 | ConvertFrom-Json).'virtual-size' | Should -Be 1TB
        qemu-img check -q size.qcow2
        $LASTEXITCODE | Should -Be 0
    }

    It 'takes a change of the size, for each disk by itself' {
        $null = New-Qcow2Image other.qcow2 20MB -Force
        'size.qcow2', 'other.qcow2' | Resize-Qcow2Image -SizeBytes +10MB -PassThru | ForEach-Object Size | Should -Be 20MB, 30MB
        { Resize-Qcow2Image size.qcow2 -5MB -ErrorAction Stop } | Should -Throw -ErrorId 'ShrinkNotAllowed,*' -ExpectedMessage '*5 MiB less*'
        Resize-Qcow2Image size.qcow2 -5MB -AllowShrink -Confirm:$false -PassThru | ForEach-Object Size | Should -Be 15MB
        { Resize-Qcow2Image size.qcow2 -1GB -AllowShrink -ErrorAction Stop } | Should -Throw -ErrorId 'SizeOutOfRange,*'
    }

    It 'makes no disk of a few bytes because a unit was forgotten: <_>' -ForEach 40, '40', '1.000', '10,000', "1'000" {
        $size = $_
        { Resize-Qcow2Image size.qcow2 $size -AllowShrink -Confirm:$false } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*' -ExpectedMessage '*Write *GB*'
        { New-Qcow2Image none.qcow2 $size } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*' -ExpectedMessage '*Write *GB*'
        'none.qcow2' | Should -Not -Exist
    }

    It 'makes a disk smaller only with -AllowShrink' -Skip:$noQemu {
        { Resize-Qcow2Image size.qcow2 5MB -ErrorAction Stop } | Should -Throw -ErrorId 'ShrinkNotAllowed,*' -ExpectedMessage '*-AllowShrink*'
        (Get-Qcow2Image size.qcow2).Size | Should -Be 10MB
        Get-Qcow2Image size.qcow2 | Resize-Qcow2Image -SizeBytes 5MB -AllowShrink -Confirm:$false
        (Get-Qcow2Image size.qcow2).Size | Should -Be 5MB
        qemu-img check -q size.qcow2
        $LASTEXITCODE | Should -Be 0
    }

    It 'changes nothing with -WhatIf' {
        $before = Get-Sha256 size.qcow2
        Resize-Qcow2Image size.qcow2 5MB -AllowShrink -WhatIf
        Resize-Qcow2Image size.qcow2 50MB -WhatIf
        Get-Sha256 size.qcow2 | Should -Be $before
    }

    It 'preallocates what it adds: <_>' -ForEach Metadata, Falloc, Full {
        $null = New-Qcow2Image size.qcow2 10MB -Force
        Resize-Qcow2Image size.qcow2 30MB -Preallocation $_ -PassThru | ForEach-Object Size | Should -Be 30MB
        (Get-Qcow2Extent size.qcow2 -Offset 10MB | Where-Object Kind -eq Data | Measure-Object Length -Sum).Sum | Should -Be 20MB
        (Get-Qcow2Extent size.qcow2 -Length 10MB).Kind | Should -Be Unallocated
        (Read-Qcow2Image size.qcow2 -Offset (30MB - 2) -Count 2) | Should -Be 0, 0
    }
}
