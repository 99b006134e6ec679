using System.Management.Automation;

namespace Qcow2.Shell.Commands.Content;

/// <summary>Set-Content: writes a file anew.</summary>
[Cmdlet(VerbsCommon.Set, "Content", DefaultParameterSetName = "Path", SupportsShouldProcess = true)]
internal sealed class SetContentCommand : WriteContentCommand
{
    private protected override FileMode Mode => FileMode.Create;
}
