using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Remove-Item: deletes what is at a path.</summary>
[Cmdlet(VerbsCommon.Remove, "Item", DefaultParameterSetName = "Path", SupportsShouldProcess = true)]
internal sealed class RemoveItemCommand : PathCommand
{
    [Parameter]
    public SwitchParameter Recurse { get; set; }

    private protected override void Process(string path)
    {
        foreach (PSObject item in InvokeProvider.Item.Get([path], Force, Literal))
        {
            string found = item.Properties["PSPath"].Value.ToString()!;
            if (ShouldProcess(SessionState.Path.GetUnresolvedProviderPathFromPSPath(found)))
            {
                InvokeProvider.Item.Remove([found], Recurse, Force, literalPath: true);
            }
        }
    }
}
