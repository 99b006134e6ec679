using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>New-Item: a new file or folder, or what another provider has.</summary>
[Cmdlet(VerbsCommon.New, "Item", SupportsShouldProcess = true)]
internal sealed class NewItemCommand : PSCmdlet
{
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    public string[] Path { get; set; } = ["."];

    [Parameter]
    public string? Name { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("Type")]
    public string? ItemType { get; set; }

    [Parameter(ValueFromPipeline = true)]
    [Alias("Target")]
    public object? Value { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override void ProcessRecord()
    {
        foreach (string path in Path)
        {
            string target = Name is null ? path : SessionState.Path.Combine(path, Name);
            if (ShouldProcess(GetUnresolvedProviderPathFromPSPath(target), $"Create {ItemType ?? "File"}"))
            {
                Create(path);
            }
        }
    }

    private void Create(string path)
    {
        try
        {
            WriteObject(InvokeProvider.Item.New([path], Name, ItemType, Value, Force), enumerateCollection: true);
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            WriteError(new ErrorRecord(e.ErrorRecord, e));
        }
        catch (IOException e)
        {
            WriteError(new ErrorRecord(e, "NewItemIOError", ErrorCategory.WriteError, path));
        }
    }
}
