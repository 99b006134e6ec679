BeforeDiscovery {
    $script:noQemu = -not (Get-Command qemu-img -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture v3.qcow2, zstd.qcow2, deflate.qcow2, extl2.qcow2, luks.qcow2, luks-slots.qcow2, aes.qcow2, snapshots.qcow2, sparse-1t.qcow2,
        chain-top.qcow2, chain-middle.qcow2, chain-base.qcow2, backing-no-format.qcow2, data-file.qcow2, data-file.raw, size-zero.qcow2 $TestDrive
    Push-Location $TestDrive

    # What lies in the test's folder, hidden files too.
    function Get-Listing {
        Get-ChildItem -Force -Recurse -File | ForEach-Object { '{0} {1} {2}' -f $_.FullName, $_.Length, $_.LastWriteTimeUtc.Ticks }
    }
}

AfterAll {
    Pop-Location
}

Describe 'Convert-Qcow2Image' {
    It 'writes the disk of <_>' -ForEach 'v3', 'zstd', 'deflate', 'extl2', 'chain-top', 'data-file', 'size-zero' {
        Convert-Qcow2Image "$_.qcow2" "$_-disk.raw" | Should -BeNullOrEmpty
        Get-Sha256 "$_-disk.raw" | Should -Be (Get-ExpectedHash $_)
    }

    It 'writes what qemu-img writes' -Skip:$noQemu {
        qemu-img convert -O raw extl2.qcow2 qemu.raw
        Convert-Qcow2Image extl2.qcow2 ours.raw
        Get-Sha256 ours.raw | Should -Be (Get-Sha256 qemu.raw)
    }

    It 'leaves holes where there are zeros' -Skip:($IsWindows -or $IsMacOS) {
        Convert-Qcow2Image sparse-1t.qcow2 sparse.raw -PassThru | ForEach-Object AllocatedSize | Should -BeLessThan 1MB
        (Get-Item sparse.raw).Length | Should -Be 1TB
        Remove-Item sparse.raw
    }

    It 'emits the new image with -PassThru' {
        $image = Convert-Qcow2Image v3.qcow2 passthru.raw -PassThru
        $image | Should -BeOfType Qcow2.Engine.Qcow2ImageInfo
        $image.Format | Should -Be raw
        $image.Path | Should -Be (Join-Path $TestDrive passthru.raw)
        $image.Size | Should -Be 1MB
    }

    Context 'ways in' {
        It 'takes files, each with a destination of its own' {
            Get-ChildItem v3.qcow2, zstd.qcow2 | Convert-Qcow2Image -DestinationPath { "$($_.BaseName)-each.raw" }
            Get-Sha256 v3-each.raw | Should -Be (Get-ExpectedHash v3)
            Get-Sha256 zstd-each.raw | Should -Be (Get-ExpectedHash zstd)
        }

        It 'takes the output of Get-Qcow2Image' {
            Get-Qcow2Image v3.qcow2 | Convert-Qcow2Image -DestinationPath info.raw
            Get-Qcow2Image v3.qcow2 | Convert-Qcow2Image -DestinationPath { $_.Path + '.raw' }
            Get-Sha256 info.raw | Should -Be (Get-ExpectedHash v3)
            Get-Sha256 v3.qcow2.raw | Should -Be (Get-ExpectedHash v3)
        }

        It 'takes names and destinations from a table' {
            'LiteralPath,DestinationPath', 'v3.qcow2,t1.raw', 'zstd.qcow2,t2.raw' | ConvertFrom-Csv | Convert-Qcow2Image
            Get-Sha256 t1.raw | Should -Be (Get-ExpectedHash v3)
            Get-Sha256 t2.raw | Should -Be (Get-ExpectedHash zstd)
        }

        It 'reads and writes <_>' -ForEach 'a[1]', 'with space', 'Größe 磁盘' {
            Copy-Item v3.qcow2 -Destination ([IO.Path]::Combine($TestDrive, "$_.qcow2"))
            Convert-Qcow2Image -LiteralPath "$_.qcow2" -DestinationPath "$_.raw"
            Get-Sha256 "$_.raw" | Should -Be (Get-ExpectedHash v3)
        }

        It 'resolves the destination against the session' {
            $before = [Environment]::CurrentDirectory
            try {
                [Environment]::CurrentDirectory = [IO.Path]::GetTempPath()
                Convert-Qcow2Image v3.qcow2 ./session.raw
                Join-Path $TestDrive session.raw | Should -Exist
            }
            finally {
                [Environment]::CurrentDirectory = $before
            }
        }
    }

    Context 'snapshots' {
        It 'writes a snapshot by <Key> <Value>' -ForEach @{ Key = 'name'; Value = 'first' }, @{ Key = 'id'; Value = '1' } {
            Convert-Qcow2Image snapshots.qcow2 "by-$Key.raw" -SnapshotName $Value
            Get-Sha256 "by-$Key.raw" | Should -Be (Get-ExpectedHash snapshots 'snapshot:1')
        }

        It 'writes the snapshots that Get-Qcow2Snapshot emits' {
            Get-Qcow2Snapshot snapshots.qcow2 | Convert-Qcow2Image -DestinationPath { "snapshot-$($_.Id).raw" }
            foreach ($id in 1..4) {
                Get-Sha256 "snapshot-$id.raw" | Should -Be (Get-ExpectedHash snapshots "snapshot:$id")
            }
        }

        It 'refuses one that is not there' {
            { Convert-Qcow2Image snapshots.qcow2 none.raw -SnapshotName none -ErrorAction Stop } | Should -Throw -ErrorId 'SnapshotNotFound,*'
            'none.raw' | Should -Not -Exist
        }
    }

    Context 'encrypted images' {
        It 'decrypts <Image> with <Text>' -ForEach @(
            @{ Image = 'luks'; Text = 'correct-horse' }
            @{ Image = 'luks-slots'; Text = 'third' }
            @{ Image = 'aes'; Text = 'legacy' }
        ) {
            $passphrase = ConvertTo-SecureString $Text -AsPlainText -Force
            Convert-Qcow2Image "$Image.qcow2" "$Image.raw" -Passphrase $passphrase
            Get-Sha256 "$Image.raw" | Should -Be (Get-ExpectedHash $Image)
        }

        It 'asks for a passphrase that is missing' {
            { Convert-Qcow2Image luks.qcow2 no.raw -ErrorAction Stop } | Should -Throw -ErrorId 'PassphraseRequired,*' -ExpectedMessage '*-Passphrase*'
            'no.raw' | Should -Not -Exist
        }

        It 'refuses a wrong one' {
            $passphrase = ConvertTo-SecureString wrong -AsPlainText -Force
            { Convert-Qcow2Image luks.qcow2 no.raw -Passphrase $passphrase -ErrorAction Stop } | Should -Throw -ErrorId 'PassphraseIncorrect,*'
            'no.raw' | Should -Not -Exist
        }
    }

    Context 'the destination' {
        It 'is not replaced without -Force' {
            Set-Content exists.raw 'precious'
            { Convert-Qcow2Image v3.qcow2 exists.raw -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationExists,*' -ExpectedMessage '*-Force*'
            Get-Content exists.raw | Should -Be 'precious'
            Convert-Qcow2Image v3.qcow2 exists.raw -Force
            Get-Sha256 exists.raw | Should -Be (Get-ExpectedHash v3)
        }

        It 'stays as it was when the conversion fails, even with -Force' {
            Set-Content kept.raw 'precious'
            { Convert-Qcow2Image luks.qcow2 kept.raw -Force -ErrorAction Stop } | Should -Throw
            Get-Content kept.raw | Should -Be 'precious'
            Get-ChildItem -Force -Filter '.kept*' | Should -BeNullOrEmpty
        }

        It 'is not the source or a file of its chain' {
            { Convert-Qcow2Image v3.qcow2 ./v3.qcow2 -DestinationFormat Raw -Force -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationIsSource,*'
            { Convert-Qcow2Image chain-top.qcow2 chain-base.qcow2 -DestinationFormat Raw -Force -ErrorAction Stop } |
                Should -Throw -ErrorId 'DestinationIsSource,*'
            { Convert-Qcow2Image data-file.qcow2 data-file.raw -Force -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationIsSource,*'
            $null = New-Item -ItemType Directory again -Force
            foreach ($file in 'v3.qcow2', 'chain-base.qcow2', 'data-file.raw') {
                Copy-Fixture $file (Join-Path $TestDrive again)
                Get-Sha256 $file | Should -Be (Get-Sha256 "again/$file")
            }
        }

        It 'is not a link to the source' -Skip:$IsWindows {
            $null = New-Item -ItemType HardLink -Path link.raw -Target (Join-Path $TestDrive v3.qcow2)
            { Convert-Qcow2Image v3.qcow2 link.raw -Force -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationIsSource,*'
        }

        It 'is not a folder, and lies in one that exists' {
            $null = New-Item -ItemType Directory target -Force
            { Convert-Qcow2Image v3.qcow2 target -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationIsFolder,*'
            { Convert-Qcow2Image v3.qcow2 absent/v3.raw -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationFolderNotFound,*'
            { Convert-Qcow2Image v3.qcow2 env:x -ErrorAction Stop } | Should -Throw -ErrorId 'ProviderNotSupported,*'
        }

        It 'takes one image only' {
            { Convert-Qcow2Image v3.qcow2, zstd.qcow2 one.raw } | Should -Throw -ErrorId 'DestinationNotUnique,*' -ExpectedMessage '*-DestinationPath {*'
            'one.raw' | Should -Not -Exist
            Get-ChildItem v3.qcow2, zstd.qcow2 | Convert-Qcow2Image -DestinationPath one.raw -Force -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem.FullyQualifiedErrorId | Should -Be 'DestinationNotUnique,Qcow2.PowerShell.Commands.ConvertQcow2ImageCommand'
            Get-Sha256 one.raw | Should -Be (Get-ExpectedHash v3)
        }
    }

    Context '-WhatIf and -Confirm' {
        It 'leaves every byte as it was' {
            Set-Content whatif.raw 'precious'
            $before = Get-Listing
            Convert-Qcow2Image v3.qcow2 whatif-new.raw -WhatIf
            Convert-Qcow2Image v3.qcow2 whatif.raw -Force -WhatIf
            Get-ChildItem v3.qcow2, chain-*.qcow2 | Convert-Qcow2Image -DestinationPath { "whatif-$($_.Name).raw" } -WhatIf
            Get-Listing | Should -Be $before
        }

        It 'still finds what would go wrong' {
            { Convert-Qcow2Image missing.qcow2 x.raw -WhatIf -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*'
            { Convert-Qcow2Image v3.qcow2 whatif.raw -WhatIf -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationExists,*'
        }
    }

    Context 'backing files' {
        It 'asks for a format that the image does not record' {
            { Convert-Qcow2Image backing-no-format.qcow2 nf.raw -ErrorAction Stop } |
                Should -Throw -ErrorId 'BackingFormatMissing,*' -ExpectedMessage '*-BackingFormat*'
            Convert-Qcow2Image backing-no-format.qcow2 nf.raw -BackingFormat QCOW2
            Get-Sha256 nf.raw | Should -Be (Get-ExpectedHash backing-no-format)
        }

        It 'opens none where that is forbidden' {
            { Convert-Qcow2Image chain-top.qcow2 forbidden.raw -ReferencePolicy Forbid -ErrorAction Stop } | Should -Throw -ErrorId 'ReferenceForbidden,*'
            'forbidden.raw' | Should -Not -Exist
        }
    }

    Context 'long work' {
        BeforeAll {
            New-SlowImage (Join-Path $TestDrive slow.qcow2)
            $pipeline = [powershell]::Create()
            $null = $pipeline.AddScript({
                param($Manifest, $Folder)
                Import-Module $Manifest
                Set-Location -LiteralPath $Folder
                Convert-Qcow2Image slow.qcow2 slow.raw
            }).AddArgument((Get-TestedModulePath)).AddArgument("$TestDrive")
            $null = $pipeline.BeginInvoke()
            $deadline = (Get-Date).AddSeconds(20)
            while ($pipeline.Streams.Progress.Count -lt 3 -and (Get-Date) -lt $deadline) {
                Start-Sleep -Milliseconds 100
            }

            $duringStop = $pipeline.InvocationStateInfo.State
            $existsEarly = Test-Path (Join-Path $TestDrive slow.raw)
            $stopTime = Measure-Command { $pipeline.Stop() }
        }

        AfterAll {
            $pipeline.Dispose()
        }

        It 'shows bytes, rate and time left' {
            $record = $pipeline.Streams.Progress | Select-Object -First 1
            $record.Activity | Should -Be 'Converting slow.qcow2'
            $record.StatusDescription | Should -Match 'iB of 512 GiB, .*iB/s$'
            $record.SecondsRemaining | Should -BeGreaterThan 0
        }

        It 'stops within a second and leaves no partial file' {
            $duringStop | Should -Be Running
            $existsEarly | Should -BeFalse -Because 'a file has its name when it is complete'
            $stopTime.TotalSeconds | Should -BeLessThan 1
            Get-ChildItem $TestDrive -Force -Filter '*slow.raw*' | Should -BeNullOrEmpty
        }

        It 'shows no progress for what is done at once' {
            $quick = [powershell]::Create()
            $null = $quick.AddScript("Import-Module '$(Get-TestedModulePath)'; Convert-Qcow2Image '$TestDrive/v3.qcow2' '$TestDrive/quick.raw'").Invoke()
            $quick.Streams.Progress.Activity | Should -Not -Contain 'Converting v3.qcow2'
            $quick.Dispose()
        }
    }

    It 'works in ForEach-Object -Parallel' -Skip:($PSVersionTable.PSEdition -ne 'Core') {
        $manifest = Get-TestedModulePath
        $folder = "$TestDrive"
        1..8 | ForEach-Object -ThrottleLimit 4 -Parallel {
            Import-Module $using:manifest
            Convert-Qcow2Image (Join-Path $using:folder 'zstd.qcow2') (Join-Path $using:folder "parallel-$_.raw")
        }
        1..8 | ForEach-Object { Get-Sha256 "parallel-$_.raw" } | Sort-Object -Unique | Should -Be (Get-ExpectedHash zstd)
    }
}
