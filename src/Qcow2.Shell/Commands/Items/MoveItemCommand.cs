using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Move-Item: moves files and folders.</summary>
[Cmdlet(VerbsCommon.Move, "Item", DefaultParameterSetName = "Path", SupportsShouldProcess = true)]
internal sealed class MoveItemCommand : PathCommand
{
    [Parameter(Position = 1)]
    public string Destination { get; set; } = ".";

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process(string path)
    {
        if (ShouldProcess($"Item: {path} Destination: {Destination}", "Move"))
        {
            var moved = InvokeProvider.Item.Move([path], Destination, Force, Literal);
            if (PassThru)
            {
                WriteObject(moved, enumerateCollection: true);
            }
        }
    }
}
