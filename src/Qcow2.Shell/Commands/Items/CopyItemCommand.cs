using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Copy-Item: copies files and, with -Recurse, folders with what is in them.</summary>
[Cmdlet(VerbsCommon.Copy, "Item", DefaultParameterSetName = "Path", SupportsShouldProcess = true)]
internal sealed class CopyItemCommand : PathCommand
{
    [Parameter(Position = 1)]
    public string Destination { get; set; } = ".";

    [Parameter]
    public SwitchParameter Recurse { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process(string path)
    {
        if (ShouldProcess($"Item: {path} Destination: {Destination}", "Copy"))
        {
            var copies = InvokeProvider.Item.Copy([path], Destination, Recurse, CopyContainers.CopyTargetContainer, Force, Literal);
            if (PassThru)
            {
                WriteObject(copies, enumerateCollection: true);
            }
        }
    }
}
