using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Set-Location: makes another location the current one.</summary>
[Cmdlet(VerbsCommon.Set, "Location", DefaultParameterSetName = "Path")]
internal sealed class SetLocationCommand : LocationCommand
{
    protected override void ProcessRecord() => Go();
}
