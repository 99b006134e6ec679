using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Get-Item: the item at a path.</summary>
[Cmdlet(VerbsCommon.Get, "Item", DefaultParameterSetName = "Path")]
internal sealed class GetItemCommand : PathCommand
{
    private protected override void Process(string path) =>
        WriteObject(InvokeProvider.Item.Get([path], Force, Literal), enumerateCollection: true);
}
