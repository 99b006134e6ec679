# A cmdlet does the same whatever the session around it is set to.

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    $manifestPath = Get-TestedModulePath
    Import-Module $manifestPath -Force
    Copy-Fixture v3.qcow2, v2.qcow2, zstd.qcow2, snapshots.qcow2, chain-top.qcow2, chain-middle.qcow2, chain-base.qcow2 $TestDrive
    Set-Content (Join-Path $TestDrive broken.qcow2) 'no image'
    Push-Location $TestDrive

    # Runs a script in a PowerShell of its own, with the module imported and the images in the current folder. Its text comes back.
    function Invoke-InSession {
        param([string] $Script)

        $Script = "Import-Module '$manifestPath'; Set-Location '$TestDrive'; $Script"
        $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($Script))
        Invoke-PowerShell -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand $encoded 2>&1 | ForEach-Object { "$_" }
    }
}

AfterAll {
    Pop-Location
}

Describe 'Strict mode' {
    It 'shows and converts as without' {
        Set-StrictMode -Version Latest
        $shown = Get-Qcow2Image v3.qcow2, snapshots.qcow2, chain-top.qcow2 | Out-String
        $shown | Should -Match 'snapshots\.qcow2'
        foreach ($view in 'Format-List', 'Format-Table', 'Format-Wide') {
            Get-Qcow2Image chain-top.qcow2 -BackingChain | & $view | Out-String -Width 500 | Should -Match 'chain-base\.qcow2'
        }
        Get-Qcow2Snapshot snapshots.qcow2 | Out-String | Should -Match 'twin'
        Get-Qcow2Extent v3.qcow2 | Out-String | Should -Match 'Data'
        Test-Qcow2Image v3.qcow2 | Out-String | Should -Match 'v3\.qcow2'
        Convert-Qcow2Image v3.qcow2 strict.raw
        Get-Sha256 strict.raw | Should -Be (Get-ExpectedHash v3)
    }

    It 'does not disturb completion' {
        Set-StrictMode -Version Latest
        $line = 'Get-Qcow2Snapshot snapshots.qcow2 -Name '
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Contain 'first'
    }
}

Describe '$ErrorActionPreference' {
    It '<_>: the good image is read, and the bad one is one error' -ForEach 'Continue', 'SilentlyContinue' {
        $ErrorActionPreference = $_
        $images = Get-Qcow2Image broken.qcow2, v3.qcow2 -ErrorVariable problem 2>$null
        $images.Path | Should -Be (Join-Path $TestDrive v3.qcow2)
        $problem.FullyQualifiedErrorId | Should -Be 'NotQcow2,Qcow2.PowerShell.Commands.GetQcow2ImageCommand'
    }

    It 'Ignore: the good image is read, and nothing is said or kept' {
        $images = Invoke-InSession '$ErrorActionPreference = "Ignore"; (Get-Qcow2Image broken.qcow2, v3.qcow2).Path; "errors: $($Error.Count)"'
        $images | Should -Be (Join-Path $TestDrive v3.qcow2), 'errors: 0'
    }

    It 'Stop: the bad image ends the script, and a destination that is not whole does not stay' {
        $ErrorActionPreference = 'Stop'
        { Get-Qcow2Image broken.qcow2, v3.qcow2 } | Should -Throw -ErrorId 'NotQcow2,*'
        { Get-ChildItem broken.qcow2, v3.qcow2 | Convert-Qcow2Image -DestinationPath { "stop-$($_.Name).raw" } } | Should -Throw -ErrorId 'NotQcow2,*'
        Get-ChildItem -Force | Where-Object Name -Match 'stop-' | Should -BeNullOrEmpty
    }

    It 'Inquire: where nobody can be asked it is an error, and nothing is written' {
        $text = Invoke-InSession '$ErrorActionPreference = "Inquire"; try { Convert-Qcow2Image broken.qcow2 inquire.raw } catch { "caught" }'
        $text | Select-Object -Last 1 | Should -Be 'caught'
        'inquire.raw' | Should -Not -Exist
    }
}

Describe '$PSDefaultParameterValues' {
    It 'gives what is not given' {
        $PSDefaultParameterValues = @{ 'Convert-Qcow2Image:Compress' = $true; '*-Qcow2Image:PassThru' = $true; '*:Verbose' = $false }
        $copy = Convert-Qcow2Image v3.qcow2 defaults.qcow2
        $copy.Path | Should -Be (Join-Path $TestDrive defaults.qcow2)
        (Get-Qcow2Extent defaults.qcow2 | Where-Object IsCompressed) | Should -Not -BeNullOrEmpty
    }

    It 'takes values that belong to other parameter sets of other cmdlets without a word' {
        $PSDefaultParameterValues = @{ '*:ErrorAction' = 'Stop'; '*:Encoding' = 'utf8'; '*:Confirm' = $false }
        (Get-Qcow2Image v3.qcow2).Size | Should -Be 1MB
        Checkpoint-Qcow2Image (Copy-Item v3.qcow2 checkpoint.qcow2 -PassThru) -SnapshotName now
        (Get-Qcow2Snapshot checkpoint.qcow2).Name | Should -Be now
    }
}

Describe 'Culture <_>' -ForEach 'de-DE', 'tr-TR', 'fa-IR' {
    It 'reads and writes the same values' {
        $script = @'
            [cultureinfo]::CurrentCulture = [cultureinfo]::CurrentUICulture = [cultureinfo]::GetCultureInfo('<CULTURE>')
            $image = Get-Qcow2Image snapshots.qcow2
            $image.Size; $image.Format; $image.CompressionType
            $image.Snapshots[0].CreationTime.ToUniversalTime().ToString('s', [cultureinfo]::InvariantCulture)
            (New-Qcow2Image NAME.qcow2 -SizeBytes 1.5GB -ClusterSize 64kib -Force).Size
            (New-Qcow2Image NAME2.qcow2 1536MiB -Force -ErrorAction Stop).Size
            Resize-Qcow2Image NAME.qcow2 2GIB
            (Get-Qcow2Image NAME.qcow2).Size
            (Convert-Qcow2Image v3.qcow2 NAME3.qcow2 -COMPRESSIONTYPE ZSTD -compress -PassThru -Force).CompressionType
            (Convert-Qcow2Image v3.qcow2 NAME.RAW -PassThru -Force).Path
            (Test-Qcow2Image NAME3.qcow2 -Quiet)
            $null = Get-Qcow2Image snapshots.qcow2, zstd.qcow2 | Format-List | Out-String
            $null = Get-Qcow2Snapshot snapshots.qcow2 | Format-Table | Out-String
'@
        $culture = $_
        $name = "image-$culture"
        $there = Invoke-InSession ($script -replace '<CULTURE>', $culture -replace 'NAME', $name)
        $plain = Invoke-InSession ($script -replace '<CULTURE>', '' -replace 'NAME', $name)
        $there | Should -Be $plain
        $there | Should -Contain '2147483648'
        $there | Should -Contain 'Zstd'
    }
}

Describe 'What is shown' {
    BeforeAll {
        # PowerShell itself switches a terminal's keypad, into the file where it is redirected.
        $terminal = $env:TERM
        $env:TERM = 'dumb'
    }

    AfterAll {
        $env:TERM = $terminal
    }

    It 'is plain text where $PSStyle.OutputRendering says so' {
        $text = Invoke-InSession '$PSStyle.OutputRendering = "PlainText"; Get-Qcow2Image v3.qcow2, chain-top.qcow2; Get-Qcow2Snapshot snapshots.qcow2; Get-Qcow2Image v3.qcow2 | Format-List'
        $text -join "`n" | Should -Match 'v3\.qcow2'
        $text -join "`n" | Should -Not -Match "`e"
    }

    It 'goes to a file when the host is redirected, and no progress or colour with it' {
        $file = Join-Path $TestDrive 'redirected.txt'
        Invoke-PowerShell -NoProfile -NonInteractive -Command "Import-Module '$manifestPath'; Set-Location '$TestDrive'; Get-Qcow2Image v3.qcow2; Convert-Qcow2Image v3.qcow2 redirected.raw" > $file
        Get-Content $file -Raw | Should -Match 'v3\.qcow2'
        Get-Content $file -Raw | Should -Not -Match "`e|Converting"
        Get-Sha256 redirected.raw | Should -Be (Get-ExpectedHash v3)
    }

    It 'is read from a script on standard input, too' {
        "Import-Module '$manifestPath'; (Get-Qcow2Image '$TestDrive/v3.qcow2').Size" | Invoke-PowerShell -NoProfile -NonInteractive -Command - |
            Should -Be '1048576'
    }
}

Describe 'Where the session is' {
    It 'works in a folder that cannot be written' -Skip:(-not $IsLinux) {
        $folder = (New-Item -ItemType Directory readonly -Force).FullName
        Copy-Item v3.qcow2 $folder
        chmod 555 $folder
        Push-Location $folder
        try {
            (Get-Qcow2Image v3.qcow2).Size | Should -Be 1MB
            (Test-Qcow2Image v3.qcow2).IsHealthy | Should -BeTrue
            Convert-Qcow2Image v3.qcow2 ../from-readonly.raw
            Get-Sha256 ../from-readonly.raw | Should -Be (Get-ExpectedHash v3)
        }
        finally {
            Pop-Location
            chmod 755 $folder
        }
    }

    It 'works on a drive of the session, for what is read and what is written' {
        $null = New-PSDrive -Name vault -PSProvider FileSystem -Root $TestDrive
        Push-Location vault:/
        try {
            (Get-Qcow2Image v3.qcow2).Path | Should -Be (Join-Path $TestDrive v3.qcow2)
            Convert-Qcow2Image vault:/v3.qcow2 vault:/on-drive.raw
            (New-Qcow2Image vault:/new.qcow2 1MiB).Path | Should -Be (Join-Path $TestDrive new.qcow2)
            (Get-ChildItem vault:/v*.qcow2 | Get-Qcow2Image).Count | Should -Be 2
        }
        finally {
            Pop-Location
            Remove-PSDrive vault
        }

        Get-Sha256 on-drive.raw | Should -Be (Get-ExpectedHash v3)
    }

    It 'is told what is wrong where the location is no folder at all' {
        Push-Location env:
        try {
            { Get-Qcow2Image PATH -ErrorAction Stop } | Should -Throw -ErrorId 'ProviderNotSupported,*'
            (Get-Qcow2Image -LiteralPath "$TestDrive/v3.qcow2").Size | Should -Be 1MB
            (Get-Qcow2Image "$TestDrive/v3.qcow2").Size | Should -Be 1MB
        }
        finally {
            Pop-Location
        }
    }

    It 'is told of a share that is not there as of any other file' {
        foreach ($path in '\\no-such-host.invalid\share\disk.qcow2', '//no-such-host.invalid/share/disk.qcow2') {
            { Get-Qcow2Image -LiteralPath $path -ErrorAction Stop } | Should -Throw -ErrorId 'PathNotFound,*' -ExpectedMessage '*disk.qcow2*'
        }
    }

    It 'reads and writes below very long paths' -Skip:(-not $IsLinux) {
        $long = "$TestDrive"
        while ($long.Length -lt 1500) {
            $long = Join-Path $long ('f' * 200)
        }

        $null = New-Item -ItemType Directory $long
        Copy-Item v3.qcow2 $long
        $image = Join-Path $long v3.qcow2
        (Get-Qcow2Image $image).Path | Should -Be $image
        Convert-Qcow2Image $image (Join-Path $long copy.qcow2)
        (Compare-Qcow2Image $image (Join-Path $long copy.qcow2)).AreEqual | Should -BeTrue
        $name = ('n' * 249) + '.qcow2'
        (New-Qcow2Image (Join-Path $TestDrive $name) 1MiB -ErrorAction Stop).Size | Should -Be 1MB
        { New-Qcow2Image (Join-Path $TestDrive ('n' * 300)) 1MiB -ErrorAction Stop } | Should -Throw
    }
}

Describe 'Common parameters' {
    It '-OutVariable holds what went on, also where the pipeline is stopped' {
        $null = Get-Qcow2Image v2.qcow2, v3.qcow2 -OutVariable images
        $images.Version | Should -Be 2, 3
        $null = Get-Qcow2Image v2.qcow2, v3.qcow2 -OutVariable first | Select-Object -First 1
        $first.Version | Should -Be 2
        $null = Get-Qcow2Image v2.qcow2 -OutVariable +images
        $images.Version | Should -Be 2, 3, 2
    }

    It '-PipelineVariable names the object for the commands behind it' {
        $names = Get-Qcow2Image snapshots.qcow2, v3.qcow2 -PipelineVariable image | Get-Qcow2Snapshot |
            ForEach-Object { "$(Split-Path $image.Path -Leaf): $($_.Name)" }
        $names | Should -Contain 'snapshots.qcow2: twin'
        $names -notmatch '^snapshots' | Should -BeNullOrEmpty
    }

    It '-ErrorVariable, -WarningVariable and -InformationVariable take the streams' {
        Get-Qcow2Image broken.qcow2, gone.qcow2 -ErrorVariable problems -ErrorAction SilentlyContinue
        $problems.FullyQualifiedErrorId -replace ',.*' | Sort-Object | Should -Be 'NotQcow2', 'PathNotFound'
        $problems.TargetObject | Should -Contain (Join-Path $TestDrive broken.qcow2)
    }

    It 'Select-Object -First 1 ends what is before it at once, and nothing stays open' {
        New-SlowImage (Join-Path $TestDrive slow.qcow2)
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $extent = Get-Qcow2Extent slow.qcow2, slow.qcow2 -ErrorAction Stop | Select-Object -First 1
        $extent.Offset | Should -Be 0
        $copied = Get-ChildItem v2.qcow2, slow.qcow2 | Convert-Qcow2Image -DestinationPath { "$($_.BaseName)-first.raw" } -PassThru | Select-Object -First 1
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 20
        $copied.Path | Should -Be (Join-Path $TestDrive v2-first.raw)
        Get-ChildItem -Force | Where-Object Name -Match 'slow-first' | Should -BeNullOrEmpty
        if ($IsLinux) {
            Get-ChildItem "/proc/$PID/fd" | ForEach-Object Target | Where-Object { $_ -like "$TestDrive*" } | Should -BeNullOrEmpty
        }
    }
}
