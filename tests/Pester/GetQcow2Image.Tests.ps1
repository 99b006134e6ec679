BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Copy-Fixture v3.qcow2, v2.qcow2, luks.qcow2, bit-dirty.qcow2, chain-top.qcow2, chain-middle.qcow2, chain-base.qcow2,
        backing-missing.qcow2, backing-raw.qcow2, backing-base.raw, backing-no-format.qcow2, bit-incompatible-named.qcow2 $TestDrive
    Push-Location $TestDrive
}

AfterAll {
    Pop-Location
}

Describe 'Get-Qcow2Image' {
    It 'says what an image is' {
        $image = Get-Qcow2Image v3.qcow2
        $image | Should -BeOfType Qcow2.Engine.Qcow2ImageInfo
        $image.Path | Should -Be (Join-Path $TestDrive 'v3.qcow2')
        $image.Version | Should -Be 3
        $image.Size | Should -Be 1MB
        $image.ClusterSize | Should -Be 64KB
        $image.IsDirty | Should -BeFalse
        $image.Header.Version | Should -Be 3
    }

    It 'knows the names that Hyper-V gives to two of the properties' {
        $image = Get-Qcow2Image chain-top.qcow2
        $image.BlockSize | Should -Be $image.ClusterSize
        $image.ParentFile | Should -Be (Join-Path $TestDrive 'chain-middle.qcow2')
    }

    It 'takes files from Get-ChildItem' {
        $images = Get-ChildItem v*.qcow2 | Get-Qcow2Image
        $images.Version | Should -Be 2, 3
    }

    It 'takes a name in position 0, from the pipeline and with wildcards' {
        (Get-Qcow2Image v2.qcow2).Version | Should -Be 2
        ('v2.qcow2', 'v3.qcow2' | Get-Qcow2Image).Version | Should -Be 2, 3
        (Get-Qcow2Image v?.qcow2).Version | Should -Be 2, 3
        (Get-Qcow2Image v2.qcow2, v3.qcow2).Version | Should -Be 2, 3
    }

    It 'takes its own output' {
        (Get-Qcow2Image v3.qcow2 | Get-Qcow2Image).Path | Should -Be (Join-Path $TestDrive 'v3.qcow2')
    }

    It 'takes the Path property of any object' {
        ([pscustomobject] @{ Path = 'v3.qcow2' } | Get-Qcow2Image).Version | Should -Be 3
    }

    It 'reports a wildcard that matches nothing' {
        { Get-Qcow2Image nothing*.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*'
    }

    It 'leaves out folders that a wildcard matches' {
        $null = New-Item -ItemType Directory folder.qcow2 -Force
        Copy-Item v3.qcow2 file.qcow2
        (Get-Qcow2Image f*.qcow2 -ErrorAction Stop).Path | Should -BeLike '*file.qcow2'
        Remove-Item file.qcow2
    }

    It 'takes a folder by its name that only looks like a pattern' {
        $null = New-Item -ItemType Directory 'set[1]', set1
        Copy-Item v3.qcow2 -Destination ([IO.Path]::Combine($PWD, 'set[1]', 'a.qcow2'))
        (Get-Qcow2Image 'set[1]/*.qcow2' -ErrorAction Stop).Path | Should -Be ([IO.Path]::Combine($PWD, 'set[1]', 'a.qcow2'))

        # PowerShell's own reading comes first.
        Copy-Item v3.qcow2 set1/b.qcow2
        (Get-Qcow2Image 'set[1]/*.qcow2' -ErrorAction Stop).Path | Should -Be ([IO.Path]::Combine($PWD, 'set1', 'b.qcow2'))
        { Get-Qcow2Image 'set[2]/*.qcow2' -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,Qcow2.PowerShell.Commands.GetQcow2ImageCommand'
    }

    Context 'names of every kind' {
        It 'reads <_>' -ForEach 'a[1].qcow2', 'with space.qcow2', 'Größe ✓ 磁盘.qcow2', "quote'd.qcow2", '`tick.qcow2' {
            $folder = New-Item -ItemType Directory (Join-Path $TestDrive ([guid]::NewGuid()))
            Copy-Item v3.qcow2 -Destination ([IO.Path]::Combine($folder, $_))
            $path = [IO.Path]::Combine($folder, $_)
            (Get-ChildItem -LiteralPath $folder | Get-Qcow2Image).Path | Should -Be $path
            (Get-Qcow2Image -LiteralPath $path).Path | Should -Be $path
            (Get-ChildItem -LiteralPath $folder | Get-Qcow2Image | Get-Qcow2Image | Get-Qcow2Image).Path | Should -Be $path
            ([pscustomobject] @{ LiteralPath = $path } | Get-Qcow2Image).Path | Should -Be $path
            (Get-Qcow2Image ([WildcardPattern]::Escape($path))).Path | Should -Be $path
        }
    }

    Context 'the backing chain' {
        It 'emits every file from the top down' {
            $chain = Get-Qcow2Image chain-top.qcow2 -BackingChain
            $chain.Depth | Should -Be 0, 1, 2
            $chain.Path | Split-Path -Leaf | Should -Be chain-top.qcow2, chain-middle.qcow2, chain-base.qcow2
        }

        It 'ends in a raw file' {
            (Get-Qcow2Image backing-raw.qcow2 -BackingChain).Format | Should -Be qcow2, raw
        }

        It 'emits what is there and an error when a base is missing' {
            $chain = Get-Qcow2Image backing-missing.qcow2 -BackingChain -ErrorVariable problem -ErrorAction SilentlyContinue
            $chain.Path | Should -Be (Join-Path $TestDrive backing-missing.qcow2)
            $problem.FullyQualifiedErrorId | Should -Be 'BackingFileUnavailable,Qcow2.PowerShell.Commands.GetQcow2ImageCommand'
        }

        It 'asks for the format that the image does not record, and takes it' {
            { Get-Qcow2Image backing-no-format.qcow2 -BackingChain -ErrorAction Stop } |
                Should -Throw -ErrorId 'BackingFormatMissing,*' -ExpectedMessage '*-BackingFormat*'
            (Get-Qcow2Image backing-no-format.qcow2 -BackingChain -BackingFormat qcow2).Count | Should -Be 2
        }

        It 'follows no reference where that is forbidden' {
            { Get-Qcow2Image chain-top.qcow2 -BackingChain -ReferencePolicy Forbid -ErrorAction Stop } |
                Should -Throw -ErrorId 'ReferenceForbidden,*'
        }

        It 'follows references inside a folder only' {
            (Get-Qcow2Image chain-top.qcow2 -BackingChain -ReferencePolicy Confine).Count | Should -Be 3
            (Get-Qcow2Image chain-top.qcow2 -BackingChain -ConfineTo .).Count | Should -Be 3
            $elsewhere = New-Item -ItemType Directory elsewhere -Force
            { Get-Qcow2Image chain-top.qcow2 -BackingChain -ConfineTo $elsewhere -ErrorAction Stop } |
                Should -Throw -ErrorId 'ReferenceForbidden,*'
            { Get-Qcow2Image chain-top.qcow2 -BackingChain -ConfineTo . -ReferencePolicy Follow } | Should -Throw -ErrorId 'ParameterConflict,*'
        }
    }

    Context 'errors' {
        It 'goes on after a bad file among good ones' {
            Set-Content text.qcow2 'this is no image'
            $images = 'v2.qcow2', 'text.qcow2', 'missing.qcow2', 'v3.qcow2' | Get-Qcow2Image -ErrorVariable problem -ErrorAction SilentlyContinue
            $images.Version | Should -Be 2, 3
            $problem.FullyQualifiedErrorId | Should -Be @(
                'NotQcow2,Qcow2.PowerShell.Commands.GetQcow2ImageCommand'
                'PathNotFound,Qcow2.PowerShell.Commands.GetQcow2ImageCommand'
            )
            $problem.CategoryInfo.Category | Should -Be InvalidData, ObjectNotFound
            $problem.TargetObject | Should -Be @((Join-Path $TestDrive text.qcow2), (Join-Path $TestDrive missing.qcow2))
        }

        It 'ends at the first with -ErrorAction Stop' {
            { Get-Qcow2Image missing.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*'
        }

        It 'can be caught as ItemNotFoundException' {
            $caught = try { Get-Qcow2Image -LiteralPath missing.qcow2 -ErrorAction Stop } catch [System.Management.Automation.ItemNotFoundException] { 'yes' }
            $caught | Should -Be 'yes'
        }

        It 'says which feature it does not know' {
            { Get-Qcow2Image bit-incompatible-named.qcow2 -ErrorAction Stop } |
                Should -Throw -ErrorId 'UnsupportedFeature,*' -ExpectedMessage '*quantum clusters*'
        }

        It 'refuses paths of other providers' {
            { Get-Qcow2Image env:PATH -ErrorAction Stop } | Should -Throw -ErrorId 'ProviderNotSupported,*'
            { Get-Qcow2Image -LiteralPath variable:x -ErrorAction Stop } | Should -Throw -ErrorId 'ProviderNotSupported,*'
        }

        It 'refuses a folder' {
            { Get-Qcow2Image -LiteralPath $TestDrive -ErrorAction Stop } | Should -Throw -ErrorId 'PathIsFolder,*'
        }
    }

    It 'resolves relative names against the session, not the process' {
        $before = [Environment]::CurrentDirectory
        try {
            [Environment]::CurrentDirectory = [IO.Path]::GetTempPath()
            (Get-Qcow2Image v3.qcow2).Path | Should -Be (Join-Path $TestDrive v3.qcow2)
            (Get-Qcow2Image -LiteralPath ./v3.qcow2).Path | Should -Be (Join-Path $TestDrive v3.qcow2)
        }
        finally {
            [Environment]::CurrentDirectory = $before
        }
    }

    It 'takes paths on a drive of the session' {
        $null = New-PSDrive -Name images -PSProvider FileSystem -Root $TestDrive
        (Get-Qcow2Image images:/v3.qcow2).Path | Should -Be (Join-Path $TestDrive v3.qcow2)
        Remove-PSDrive images
    }

    It 'works in ForEach-Object -Parallel' -Skip:($PSVersionTable.PSEdition -ne 'Core') {
        $manifest = Get-TestedModulePath
        $folder = "$TestDrive"
        $results = 1..40 | ForEach-Object -ThrottleLimit 8 -Parallel {
            Import-Module $using:manifest
            (Get-Qcow2Image (Join-Path $using:folder 'v3.qcow2')).Size
            (Get-Qcow2Extent (Join-Path $using:folder 'chain-top.qcow2') | Measure-Object Length -Sum).Sum
        }
        $results.Count | Should -Be 80
        ($results | Measure-Object -Sum).Sum | Should -Be (40 * (1MB + 256KB))
    }

    It 'shows an image that a program writes as in use' -Skip:(-not (Get-Command qemu-io -ErrorAction Ignore)) {
        Copy-Item v3.qcow2 used.qcow2
        $start = [Diagnostics.ProcessStartInfo]::new((Get-Command qemu-io).Source, '-f qcow2 used.qcow2')
        $start.WorkingDirectory = "$TestDrive"
        $start.RedirectStandardInput = $true
        $start.RedirectStandardOutput = $true
        $qemu = [Diagnostics.Process]::Start($start)
        try {
            $deadline = (Get-Date).AddSeconds(10)
            while (-not ($image = Get-Qcow2Image used.qcow2).IsLocked -and (Get-Date) -lt $deadline) {
                Start-Sleep -Milliseconds 50
            }

            $image.LockState | Should -Be HeldForWriting
            $image | Out-String | Should -Match 'in use'
            $null = Get-Qcow2Extent used.qcow2 -WarningVariable warning -WarningAction SilentlyContinue
            "$warning" | Should -Match 'open for writing'
            { Convert-Qcow2Image used.qcow2 used.raw -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*' -ExpectedMessage '*-ForceShare*'
            'used.raw' | Should -Not -Exist
            Convert-Qcow2Image used.qcow2 used.raw -ForceShare
            Get-Sha256 used.raw | Should -Be (Get-ExpectedHash v3)
        }
        finally {
            $qemu.StandardInput.WriteLine('quit')
            $qemu.WaitForExit()
        }
    }

    It 'takes a raw disk by its name or by -SourceFormat, as Read-Qcow2Image and Get-Qcow2Extent do' {
        [IO.File]::WriteAllBytes("$TestDrive/named.img", [byte[]]::new(64KB))
        [IO.File]::WriteAllBytes("$TestDrive/unnamed", [byte[]]::new(64KB))
        (Get-Qcow2Image named.img).Format | Should -Be 'raw'
        { Get-Qcow2Image unnamed -ErrorAction Stop } | Should -Throw -ErrorId 'NotQcow2,*' -ExpectedMessage '*-SourceFormat Raw*'
        (Get-Qcow2Image unnamed -SourceFormat Raw).Size | Should -Be 64KB
        (Read-Qcow2Image unnamed -SourceFormat Raw -Count 4).Count | Should -Be 4
        (Get-Qcow2Extent unnamed -SourceFormat Raw | Measure-Object Length -Sum).Sum | Should -Be 64KB
    }

    It 'reads a thousand images in a pipeline, and says how fast' {
        $folder = New-Item -ItemType Directory many
        1..1000 | ForEach-Object { Copy-Item bit-dirty.qcow2 -Destination "$folder/$_.qcow2" }
        $files = Get-ChildItem $folder
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $images = $files | Get-Qcow2Image
        Write-Host "      Get-Qcow2Image reads 1,000 images in $($watch.ElapsedMilliseconds) ms"
        $images.Count | Should -Be 1000
    }
}
