using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Rename-Item: gives an item another name in its folder.</summary>
[Cmdlet(VerbsCommon.Rename, "Item", SupportsShouldProcess = true)]
internal sealed class RenameItemCommand : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("LiteralPath", "PSPath", "LP")]
    public string Path { get; set; } = "";

    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    public string NewName { get; set; } = "";

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord()
    {
        if (ShouldProcess($"Item: {Path} Destination: {NewName}", "Rename"))
        {
            try
            {
                var renamed = InvokeProvider.Item.Rename(Path, NewName, Force);
                WriteObject(PassThru ? renamed : [], enumerateCollection: true);
            }
            catch (RuntimeException e) when (e is not PipelineStoppedException)
            {
                WriteError(new ErrorRecord(e.ErrorRecord, e));
            }
        }
    }
}
