# docs/backups.md, played through: its commands word for word, with writes by QEMU between the days.
BeforeDiscovery {
    $script:noQemu = -not (Get-Command qemu-io -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    Import-Module (Get-TestedModulePath) -Force
    Push-Location $TestDrive
    $null = New-Item -ItemType Directory backup
    $page = Get-Content -Raw (Join-Path (Split-Path (Split-Path $PSScriptRoot)) docs backups.md)
    $commands = [regex]::Matches($page, '(?s)```powershell\r?\n(.*?)```').ForEach({ [scriptblock]::Create($_.Groups[1].Value) })
    $days = @{}

    # A guest's work: what a day's random writes leave is kept to be compared with.
    function Write-AsGuest([int] $Seed) {
        $random = [Random]::new($Seed)
        $writes = foreach ($i in 1..12) {
            $offset = $random.Next(0, 60) * 1MB + $random.Next(0, 1000) * 512
            $length = $random.Next(1, 200) * 512
            '-c', $(if ($i % 4) { "write -P $($random.Next(1, 255)) $offset $length" } else { "write -z $offset $length" })
        }
        qemu-io -f qcow2 @writes web01.qcow2 | Out-Null
        $LASTEXITCODE | Should -Be 0
    }

    function Save-Day([string] $Name) {
        Convert-Qcow2Image web01.qcow2 "$Name.model.raw"
        $days[$Name] = Get-Sha256 "$Name.model.raw"
    }

    function Get-DiskHash([string] $Path) {
        Convert-Qcow2Image $Path restored.raw -Force
        Get-Sha256 restored.raw
    }
}

AfterAll {
    Pop-Location
}

Describe 'A week of incremental backups' -Skip:$noQemu {
    It 'begins with all of the disk' {
        $null = New-Qcow2Image web01.qcow2 64MB
        Write-AsGuest 1
        . $commands[0]
        Save-Day sunday
    }

    It 'goes on with what changed, and the bitmap begins anew' {
        Write-AsGuest 2
        Save-Day monday
        . $commands[1]
        $image = Get-Qcow2Image backup/monday.qcow2
        $image.BackingFile | Should -Be sunday.qcow2
        Get-Qcow2Extent web01.qcow2 -BitmapName daily | Should -BeNullOrEmpty
        Compare-Qcow2Image web01.qcow2 backup/monday.qcow2 -Quiet | Should -BeTrue
    }

    It 'says before a backup what it would copy' {
        Write-AsGuest 3
        Save-Day tuesday
        $sum = . $commands[3]
        $sum.Sum | Should -BeGreaterThan 100KB
        $sum.Sum | Should -BeLessThan 8MB
        (Get-Qcow2Bitmap web01.qcow2 daily | Get-Qcow2Extent | Measure-Object Length -Sum).Sum | Should -Be $sum.Sum
    }

    It 'loses nothing when a backup fails' {
        $before = (Get-Qcow2Extent web01.qcow2 -BitmapName daily | Measure-Object Length -Sum).Sum
        { Export-Qcow2Change web01.qcow2 -BitmapName daily -DestinationPath none/tuesday.qcow2 -BackingFile monday.qcow2 -BackingFormat qcow2 -ClearBitmap -ErrorAction Stop } |
            Should -Throw -ErrorId 'DestinationFolderNotFound,*'
        { Export-Qcow2Change web01.qcow2 -BitmapName daily -DestinationPath backup/tuesday.qcow2 -BackingFile gone.qcow2 -BackingFormat qcow2 -ClearBitmap -ErrorAction Stop } | Should -Throw
        (Get-Qcow2Extent web01.qcow2 -BitmapName daily | Measure-Object Length -Sum).Sum | Should -Be $before
        Test-Path backup/tuesday.qcow2 | Should -BeFalse
    }

    It 'goes on with the next day' {
        . $commands[2]
        (Get-Item backup/tuesday.qcow2).Length | Should -BeLessThan (Get-Item web01.qcow2).Length
    }

    It 'brings <_> back' -ForEach 'sunday', 'monday', 'tuesday' {
        Get-DiskHash "backup/$_.qcow2" | Should -Be $days[$_]
        qemu-img convert -O raw "backup/$_.qcow2" by-qemu.raw
        Get-Sha256 by-qemu.raw | Should -Be $days[$_]
    }

    It 'is restored and checked as the page says' {
        . $commands[4]
        Get-DiskHash restored.qcow2 | Should -Be $days.monday
        . $commands[5] | Should -Not -Contain $false
        . $commands[6]
        (Get-Qcow2Bitmap web01.qcow2).Name | Should -Be daily
    }

    It 'stays whole when a day is merged into the one before' {
        Merge-Qcow2Image backup/monday.qcow2 -DeleteSource -Confirm:$false
        Set-Qcow2Image backup/tuesday.qcow2 -BackingFile sunday.qcow2 -BackingFormat qcow2 -MetadataOnly -Confirm:$false
        Get-DiskHash backup/tuesday.qcow2 | Should -Be $days.tuesday
        Get-DiskHash backup/sunday.qcow2 | Should -Be $days.monday
    }

    It 'refuses, with <Id>' -ForEach @(
        @{ Id = 'BitmapNotSpecified'; Command = { Export-Qcow2Change web01.qcow2 -DestinationPath x.qcow2 } }
        @{ Id = 'BitmapNotFound'; Command = { Export-Qcow2Change web01.qcow2 -BitmapName none -DestinationPath x.qcow2 } }
        @{ Id = 'ParameterConflict'; Command = { Export-Qcow2Change web01.qcow2 -BitmapName daily -DestinationPath x.qcow2 -ClearBitmap -ForceShare } }
        @{ Id = 'DestinationExists'; Command = { Export-Qcow2Change web01.qcow2 -BitmapName daily -DestinationPath web01.qcow2 } }
    ) {
        $ErrorActionPreference = 'Stop'
        $Command | Should -Throw -ErrorId "$Id,*"
        Test-Path x.qcow2 | Should -BeFalse
    }

    It 'writes the changes alone without a backing file, and nothing with -WhatIf' {
        Write-AsGuest 4
        Export-Qcow2Change web01.qcow2 -BitmapName daily -DestinationPath alone.qcow2 -ClearBitmap -WhatIf
        Test-Path alone.qcow2 | Should -BeFalse
        $alone = Get-Qcow2Bitmap web01.qcow2 daily | Export-Qcow2Change -DestinationPath alone.qcow2 -PassThru
        $alone.BackingFile | Should -BeNullOrEmpty
        Set-Qcow2Image alone.qcow2 -BackingFile backup/tuesday.qcow2 -BackingFormat qcow2 -MetadataOnly -Confirm:$false
        Compare-Qcow2Image alone.qcow2 web01.qcow2 -Quiet | Should -BeTrue
    }
}
