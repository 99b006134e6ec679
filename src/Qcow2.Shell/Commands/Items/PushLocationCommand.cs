using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Push-Location: remembers the current location and goes to another.</summary>
[Cmdlet(VerbsCommon.Push, "Location", DefaultParameterSetName = "Path")]
internal sealed class PushLocationCommand : LocationCommand
{
    protected override void ProcessRecord()
    {
        SessionState.Path.PushCurrentLocation(null);
        if ((Path ?? LiteralPath) is not null)
        {
            Go();
        }
    }
}
