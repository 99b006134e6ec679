# The commands of docs/fleets.md, by SSH to an sshd that is started here, on loopback, with this PowerShell as its subsystem.

BeforeDiscovery {
    $sshd = @(Get-Command sshd, /usr/sbin/sshd -CommandType Application -ErrorAction Ignore)[0].Source
    $canRemote = $IsLinux -and $sshd -and (Get-Command ssh, ssh-keygen -CommandType Application -ErrorAction Ignore).Count -ge 2
}

Describe 'A fleet' -Skip:(-not $canRemote) {
    BeforeAll {
        . $PSScriptRoot/Shared.ps1
        . $PSScriptRoot/Fleet.ps1
        Import-Module (Get-TestedModulePath) -Force
        $names = 'kvm01', 'kvm02', 'kvm03'
        $fleetFolder = (New-Item -ItemType Directory (Join-Path ([IO.Path]::GetTempPath()) "fleet-$([guid]::NewGuid().ToString('n'))")).FullName
        $server = Start-Fleet -Folder $fleetFolder -Name $names -ModuleRoot (Split-Path (Split-Path (Split-Path (Get-TestedModulePath))))
        foreach ($name in $names) {
            $null = New-Item -ItemType Directory (Join-Path $fleetFolder $name copies)
            Copy-Fixture v3.qcow2, zstd.qcow2, snapshots.qcow2 (Join-Path $fleetFolder $name)
        }

        # The page's commands, with the folder of each host in this one.
        $page = Get-Content -Raw (Join-Path (Split-Path (Split-Path $PSScriptRoot)) docs fleets.md)
        $commands = [regex]::Matches($page, '(?s)```powershell\n(.*?)```').ForEach({
                [scriptblock]::Create($_.Groups[1].Value.Replace('/var/lib/libvirt/images', "$fleetFolder/`$env:FLEET_HOST"))
            })
        $fleet = $names
    }

    AfterAll {
        Stop-Fleet $server
        Remove-Item -LiteralPath $fleetFolder -Recurse -Force
    }

    It 'is taken stock of' {
        $shown = . $commands[0]
        $images.Count | Should -Be 9
        $images.PSComputerName | Sort-Object -Unique | Should -Be $names
        $images | Where-Object PSComputerName -EQ kvm02 | ForEach-Object { Split-Path (Split-Path $_.Path) -Leaf } | Sort-Object -Unique | Should -Be kvm02
        ($images | Measure-Object Size -Sum).Sum | Should -Be (3 * (Get-ChildItem $fleetFolder/kvm01/*.qcow2 | Get-Qcow2Image | Measure-Object Size -Sum).Sum)
        $images[0].PSObject.TypeNames[0] | Should -Be 'Deserialized.Qcow2.Engine.Qcow2ImageInfo'
        @($shown | Where-Object { $_.PSObject.Properties['GiB'] }).Count | Should -Be 3
    }

    It 'is taken stock of though a host is not there' {
        . $commands[1]
        $images.Count | Should -Be 9
        @($unreachable).Count | Should -Be 1
        "$unreachable" | Should -Match 'kvm99'
    }

    It 'is checked by a job' {
        $broken = Join-Path $fleetFolder kvm03 broken.qcow2
        $bytes = [IO.File]::ReadAllBytes((Join-Path $fleetFolder kvm03 v3.qcow2))
        # The first entry of the L1 table leads past the end of the file.
        $table = [BitConverter]::ToInt64($bytes[47..40], 0)
        $bytes[$table + 2] = 1
        [IO.File]::WriteAllBytes($broken, $bytes)
        try {
            $unsound = . $commands[2]
            Remove-PSSession $sessions
            $checks.Count | Should -Be 10
            $unsound.PSComputerName | Should -Be kvm03
            $unsound.Path | Should -Be $broken
        }
        finally {
            Remove-Item $broken
        }
    }

    It 'is converted by a job, and an image that cannot be is one error with its host' {
        Set-Content (Join-Path $fleetFolder kvm01 bad.qcow2) 'no image'
        $sessions = New-PSSession -HostName $names
        try {
            $null = . $commands[3]
        }
        finally {
            Remove-Item (Join-Path $fleetFolder kvm01 bad.qcow2)
        }

        $copies.Count | Should -Be 9
        $failed.FullyQualifiedErrorId | Should -BeLike '*NotQcow2*'
        $failed.OriginInfo.PSComputerName | Should -Be kvm01
        foreach ($name in $names) {
            (Get-ChildItem -Force (Join-Path $fleetFolder $name copies)).Name | Should -Be 'snapshots.qcow2', 'v3.qcow2', 'zstd.qcow2'
        }

        (Compare-Qcow2Image "$fleetFolder/kvm02/zstd.qcow2" "$fleetFolder/kvm02/copies/zstd.qcow2").AreEqual | Should -BeTrue
    }

    It 'keeps lists in files' {
        Push-Location (Join-Path $fleetFolder kvm01)
        try {
            $null = . $commands[4]
            $snapshots = Get-Qcow2Snapshot snapshots.qcow2
            $snapshots.Count | Should -BeGreaterThan 1
            foreach ($snapshot in $snapshots) {
                ($snapshot | Compare-Qcow2Image -DifferencePath "$($snapshot.Id)-$($snapshot.Name).raw").AreEqual | Should -BeTrue
            }
        }
        finally {
            Pop-Location
        }
    }

    It 'brings errors, warnings, verbose and progress records of a host' {
        New-SlowImage (Join-Path $fleetFolder kvm01 slow.qcow2)
        $job = Invoke-Command -HostName kvm01 -AsJob -ArgumentList "$fleetFolder/kvm01" {
            param($folder)
            Set-Location $folder
            Get-Qcow2Image gone.qcow2
            Copy-Item v3.qcow2 small.qcow2
            Resize-Qcow2Image small.qcow2 2MB -Verbose
            Remove-Item small.qcow2
            Write-Warning 'now the long one'
            Convert-Qcow2Image slow.qcow2 slow.raw
        }
        $child = $job.ChildJobs[0]
        $deadline = (Get-Date).AddSeconds(60)
        while (-not ($child.Progress | Where-Object Activity -EQ 'Converting slow.qcow2') -and (Get-Date) -lt $deadline) {
            Start-Sleep -Milliseconds 50
        }

        $working = $job.State
        $stopping = Measure-Command { Stop-Job $job }
        $child.Progress.Activity | Should -Contain 'Converting slow.qcow2'
        $child.Error.FullyQualifiedErrorId | Should -BeLike 'PathNotFound,*'
        $child.Warning.Message | Should -Contain 'now the long one'
        "$($child.Verbose.Message)" | Should -Match 'small\.qcow2'
        $working | Should -Be Running
        $stopping.TotalSeconds | Should -BeLessThan 5 -Because 'the network is in between'
        Remove-Job $job -Force
        $deadline = (Get-Date).AddSeconds(5)
        while ((Get-ChildItem -Force "$fleetFolder/kvm01" -Filter '*slow.raw*') -and (Get-Date) -lt $deadline) {
            Start-Sleep -Milliseconds 50
        }

        Get-ChildItem -Force "$fleetFolder/kvm01" -Filter '*slow.raw*' | Should -BeNullOrEmpty
    }
}
