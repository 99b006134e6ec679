# The session that session.sh measures: stays open, and calls the cmdlet once for each line that it reads, which has its parameters as JSON.
# Answers with the elapsed and the CPU seconds of the call, and the most memory that was resident so far in KiB, or with the error.
param([Parameter(Mandatory)] [string] $Module)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Import-Module $Module
$process = [System.Diagnostics.Process]::GetCurrentProcess()

while ($null -ne ($line = [Console]::In.ReadLine())) {
    $parameters = $line | ConvertFrom-Json -AsHashtable
    try {
        $process.Refresh()
        $before = $process.TotalProcessorTime
        $clock = [System.Diagnostics.Stopwatch]::StartNew()
        Convert-Qcow2Image @parameters
        $clock.Stop()
        $process.Refresh()
        # PowerShell writes numbers in text as the invariant culture does.
        [Console]::Out.WriteLine("ok $($clock.Elapsed.TotalSeconds) $(($process.TotalProcessorTime - $before).TotalSeconds) $($process.PeakWorkingSet64 -shr 10)")
    }
    catch {
        [Console]::Out.WriteLine("failed $_")
    }
}
