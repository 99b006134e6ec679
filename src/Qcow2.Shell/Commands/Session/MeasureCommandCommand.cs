using System.Diagnostics;
using System.Management.Automation;

namespace Qcow2.Shell.Commands.Session;

/// <summary>Measure-Command: how long a script block takes.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "Command")]
[OutputType(typeof(TimeSpan))]
internal sealed class MeasureCommandCommand : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0)]
    public ScriptBlock Expression { get; set; } = ScriptBlock.Create("");

    protected override void EndProcessing()
    {
        long start = Stopwatch.GetTimestamp();
        InvokeCommand.InvokeScript(useLocalScope: false, Expression, null, []);
        WriteObject(Stopwatch.GetElapsedTime(start));
    }
}
