# Streams come through jobs as PowerShell brings them, and a job that is stopped ends its work and leaves nothing behind.

BeforeDiscovery {
    $kinds = @(@{ Start = 'Start-Job' })
    if (Get-Command Start-ThreadJob -ErrorAction Ignore) {
        $kinds += @{ Start = 'Start-ThreadJob' }
    }
}

BeforeAll {
    . $PSScriptRoot/Shared.ps1
    $manifest = Get-TestedModulePath
    Import-Module $manifest -Force
    Copy-Fixture v3.qcow2, zstd.qcow2 $TestDrive
    Set-Content (Join-Path $TestDrive broken.qcow2) 'no image'
    New-SlowImage (Join-Path $TestDrive slow.qcow2)

    # Waits until something is so; fails where it does not come to be.
    function Wait-Until {
        param([scriptblock] $Condition, [int] $Seconds = 60)

        $deadline = (Get-Date).AddSeconds($Seconds)
        while (-not (& $Condition)) {
            if ((Get-Date) -gt $deadline) {
                throw "It did not come to be: $Condition"
            }

            Start-Sleep -Milliseconds 50
        }
    }
}

Describe '<Start>' -ForEach $kinds {
    It 'brings objects, errors, warnings and verbose records, each on its stream' {
        $job = & $Start {
            param($manifest, $folder)
            Import-Module $manifest -Verbose:$false
            Set-Location $folder
            Get-Qcow2Image broken.qcow2, v3.qcow2
            Convert-Qcow2Image zstd.qcow2 "job-$PID-$([guid]::NewGuid()).raw" -Verbose
            Write-Warning 'after'
        } -ArgumentList $manifest, "$TestDrive"
        $null = Wait-Job $job -Timeout 60
        $images = Receive-Job $job -ErrorVariable problem -WarningVariable warning -ErrorAction SilentlyContinue -WarningAction SilentlyContinue -Verbose 4>&1
        Remove-Job $job -Force
        ($images | Where-Object { $_ -isnot [Management.Automation.VerboseRecord] }).Path | Should -Be (Join-Path $TestDrive v3.qcow2)
        $problem[0].FullyQualifiedErrorId | Should -BeLike 'NotQcow2,*'
        $warning.Message | Should -Contain 'after'
    }

    It 'shows progress while it works; Stop-Job ends it within a second and leaves nothing behind' {
        $name = "stopped-$Start.raw"
        $job = & $Start {
            param($manifest, $folder, $name)
            Import-Module $manifest
            Set-Location $folder
            Convert-Qcow2Image slow.qcow2 $name
        } -ArgumentList $manifest, "$TestDrive", $name
        # Start-Job's records are those of its child job.
        $records = $job.ChildJobs.Count ? $job.ChildJobs[0] : $job
        Wait-Until { $records.Progress | Where-Object Activity -EQ 'Converting slow.qcow2' }
        # What it takes to stop a job of this kind that does nothing, on this machine as it is now.
        $idle = & $Start { 'begun'; Start-Sleep 600 }
        Wait-Until { $idle.HasMoreData }
        $idleSeconds = (Measure-Command { Stop-Job $idle }).TotalSeconds
        Remove-Job $idle -Force
        $working = $job.State
        $existsEarly = Test-Path (Join-Path $TestDrive $name)
        $watch = [Diagnostics.Stopwatch]::StartNew()
        Stop-Job $job
        $seconds = $watch.Elapsed.TotalSeconds
        $state = $job.State
        Remove-Job $job -Force
        $working | Should -Be Running
        $existsEarly | Should -BeFalse -Because 'a file has its name when it is complete'
        $state | Should -Be Stopped
        $seconds - $idleSeconds | Should -BeLessThan 1
        # A job in another process is told to stop, and Stop-Job does not wait for its last step.
        Wait-Until { -not (Get-ChildItem $TestDrive -Force -Filter "*$name*") } -Seconds 1
    }
}
