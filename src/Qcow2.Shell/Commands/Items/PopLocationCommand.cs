using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Pop-Location: goes back to the location remembered last.</summary>
[Cmdlet(VerbsCommon.Pop, "Location")]
internal sealed class PopLocationCommand : PSCmdlet
{
    protected override void ProcessRecord() => SessionState.Path.PopLocation(null);
}
