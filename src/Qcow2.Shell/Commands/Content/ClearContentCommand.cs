using System.Management.Automation;
using Qcow2.Shell.Commands.Items;

namespace Qcow2.Shell.Commands.Content;

/// <summary>Clear-Content: empties a file.</summary>
[Cmdlet(VerbsCommon.Clear, "Content", DefaultParameterSetName = "Path", SupportsShouldProcess = true)]
internal sealed class ClearContentCommand : PathCommand
{
    private protected override void Process(string path)
    {
        if (ShouldProcess(path))
        {
            InvokeProvider.Content.Clear([path], Force, Literal);
        }
    }
}
