using System.Management.Automation;

namespace Qcow2.Shell.Commands.Content;

/// <summary>Add-Content: writes to the end of a file.</summary>
[Cmdlet(VerbsCommon.Add, "Content", DefaultParameterSetName = "Path", SupportsShouldProcess = true)]
internal sealed class AddContentCommand : WriteContentCommand
{
    private protected override FileMode Mode => FileMode.Append;
}
