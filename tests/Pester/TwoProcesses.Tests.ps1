# Two processes and one image: QEMU's locks on Linux, share modes on Windows. Whoever comes second is refused by name, and nothing is lost.

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    $manifestPath = Get-TestedModulePath
    Import-Module $manifestPath -Force
    Push-Location $TestDrive

    # Runs a script while another process has an image open. The folder holds a file then that tells it to let go.
    function Invoke-Beside {
        param([string] $Path, [ValidateSet('Read', 'Write')] [string] $Access, [scriptblock] $Script)

        $end = Join-Path $TestDrive "end-$([guid]::NewGuid())"
        $other = Start-Job -ArgumentList $manifestPath, (Join-Path $TestDrive $Path), ($Access -eq 'Write'), $end {
            param($Manifest, $Path, $Writable, $End)

            $ErrorActionPreference = 'Stop'
            Import-Module $Manifest
            $options = [Qcow2.Engine.Qcow2OpenOptions]::new()
            [Qcow2.Engine.Qcow2OpenOptions].GetProperty('Writable').SetValue($options, $Writable)
            $image = [Qcow2.Engine.Qcow2Image]::Open($Path, $options)
            'open'
            while (-not (Test-Path -LiteralPath $End)) {
                Start-Sleep -Milliseconds 50
            }

            if ($Writable) {
                $image.Write(0, [byte[]](7, 7, 7, 7))
            }

            $image.Dispose()
        }
        try {
            while ($other.State -in 'NotStarted', 'Running' -and -not $other.ChildJobs[0].Output.Count) {
                Start-Sleep -Milliseconds 50
            }

            $other.ChildJobs[0].Output | Should -Be 'open'
            & $Script
        }
        finally {
            Set-Content -LiteralPath $end 'end'
            $null = Wait-Job $other -Timeout 60
            $other.State | Should -Be Completed
            Remove-Job $other -Force
        }
    }
}

AfterAll {
    Pop-Location
}

Describe 'An image that another process has open' {
    BeforeEach {
        New-Qcow2Image disk.qcow2 8MB -Force
        Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1, 2, 3, 4
        New-Qcow2Image source.qcow2 8MB -Force
        New-Qcow2Image top.qcow2 -BackingFile disk.qcow2 -BackingFormat qcow2 -Force
        Write-Qcow2Image top.qcow2 -Offset 0 -Value 9
    }

    It 'for writing is not written by a second' {
        Invoke-Beside disk.qcow2 Write {
            { Write-Qcow2Image disk.qcow2 -Offset 0 -Value 5 -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*' -ExpectedMessage '*disk.qcow2*'
            { Resize-Qcow2Image disk.qcow2 16MB -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
            { Checkpoint-Qcow2Image disk.qcow2 -SnapshotName now -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
            { Merge-Qcow2Image top.qcow2 -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
        }
        (Read-Qcow2Image disk.qcow2 -Count 4) -join ' ' | Should -Be '7 7 7 7'
        (Get-Qcow2Image disk.qcow2).Size | Should -Be 8MB
        (Read-Qcow2Image top.qcow2 -Count 1) -join ' ' | Should -Be '9'
    }

    It 'for writing is not read by a second, unless that is asked for' {
        Invoke-Beside disk.qcow2 Write {
            { Convert-Qcow2Image disk.qcow2 copy.raw -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
            (Read-Qcow2Image disk.qcow2 -Count 4 -ForceShare) -join ' ' | Should -Be '1 2 3 4'
        }
        'copy.raw' | Should -Not -Exist
    }

    It 'for <Access> is not replaced' -ForEach @{ Access = 'Read' }, @{ Access = 'Write' } {
        Invoke-Beside disk.qcow2 $Access {
            { Convert-Qcow2Image source.qcow2 disk.qcow2 -Force -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*' -ExpectedMessage '*disk.qcow2*'
            { New-Qcow2Image disk.qcow2 1MB -Force -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
            { Optimize-Qcow2Image disk.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
        }
        (Get-Qcow2Image disk.qcow2).Size | Should -Be 8MB
        (Read-Qcow2Image disk.qcow2 -Count 4) -join ' ' | Should -Be ($Access -eq 'Write' ? '7 7 7 7' : '1 2 3 4')
        Get-ChildItem -Force -Filter '.*.tmp' | Should -BeNullOrEmpty
    }

    It 'for reading is read by others, and written by nobody' {
        Invoke-Beside disk.qcow2 Read {
            (Read-Qcow2Image disk.qcow2 -Count 4) -join ' ' | Should -Be '1 2 3 4'
            (Test-Qcow2Image disk.qcow2).Corruptions | Should -Be 0
            { Write-Qcow2Image disk.qcow2 -Offset 0 -Value 5 -ErrorAction Stop } | Should -Throw -ErrorId 'ImageLocked,*'
        }
        (Read-Qcow2Image disk.qcow2 -Count 4) -join ' ' | Should -Be '1 2 3 4'
    }

    It 'for writing is shown as in use' {
        Invoke-Beside disk.qcow2 Write {
            (Get-Qcow2Image disk.qcow2).LockState | Should -Be HeldForWriting
        }
        (Get-Qcow2Image disk.qcow2).LockState | Should -Be Unlocked
    }

    It 'is free when that process has let go' {
        Invoke-Beside disk.qcow2 Write { }
        Write-Qcow2Image disk.qcow2 -Offset 0 -Value 5
        Optimize-Qcow2Image disk.qcow2
        (Read-Qcow2Image disk.qcow2 -Count 2) -join ' ' | Should -Be '5 7'
    }
}
